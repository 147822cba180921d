//! Trees of files copied, where they cannot be laid over each other.
//!
//! A node may write to its root filesystem, whose layers belong to all nodes, and to a clone of
//! files that belong to others. Where the kernel refuses an overlay, the layers are copied into one
//! tree.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::kernel::process::seccomp::chown_unwatched;

/// Copies `layers`, the uppermost first, into `target`, unless that has been done before.
///
/// # Errors
/// A file cannot be read or written. What was copied by then is not taken for the whole.
pub(crate) fn merge(layers: &[PathBuf], target: &Path) -> io::Result<()> {
    if target.exists() {
        return Ok(());
    }
    // A node that died in the midst of it leaves an unfinished copy, which is begun again: only the
    // rename makes it a whole one.
    let unfinished = target.with_extension("unfinished");
    fs::create_dir_all(&unfinished)?;
    // The lowest first, so that the upper ones replace its files.
    for layer in layers.iter().rev() {
        copy_dir(layer, &unfinished)?;
    }
    fs::rename(unfinished, target)
}

/// Copies the files of a directory, with their owners and modes, to another directory.
///
/// # Errors
/// A file cannot be read or written.
pub(crate) fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    let meta = fs::metadata(from)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    // Ownership needs ids that may not be mapped here, so a refusal is no error. The mode comes
    // after, for a change of owner clears the setuid and setgid bits (chown(2)). The init is not
    // asked about such ids, because it may be waiting for this copy.
    let _ = chown_unwatched(to, meta.uid(), meta.gid());
    fs::set_permissions(to, meta.permissions())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    let kind = meta.file_type();
    if kind.is_dir() {
        match fs::create_dir(to) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        return copy_dir(from, to);
    }
    // A symbolic link that a lower layer has in this place would be followed.
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
        let _ = chown_unwatched(to, meta.uid(), meta.gid());
    } else if kind.is_file() {
        // From here on the descriptor is used, and the mode is set last, as above.
        fs::copy(from, to)?;
        let file = fs::File::open(to)?;
        let _ = chown_unwatched(to, meta.uid(), meta.gid());
        file.set_permissions(fs::Permissions::from_mode(meta.mode() & 0o7777))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uppermost_layer_wins() {
        let dir = std::env::temp_dir().join(format!("snowglobe-copy-{}", std::process::id()));
        let (upper, lower) = (dir.join("upper"), dir.join("lower"));
        fs::create_dir_all(upper.join("etc")).unwrap();
        fs::create_dir_all(lower.join("etc")).unwrap();
        fs::write(upper.join("etc/name"), "upper").unwrap();
        fs::write(lower.join("etc/name"), "lower").unwrap();
        fs::write(lower.join("etc/only"), "lower").unwrap();
        symlink("only", lower.join("etc/link")).unwrap();
        let target = dir.join("copy");
        merge(&[upper, lower], &target).unwrap();
        let read = |name: &str| fs::read_to_string(target.join("etc").join(name)).unwrap();
        assert_eq!(
            (read("name"), read("only"), read("link")),
            ("upper".into(), "lower".into(), "lower".into())
        );
        assert_eq!(
            fs::read_link(target.join("etc/link")).unwrap(),
            Path::new("only")
        );
        fs::remove_dir_all(dir).unwrap();
    }
}
