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
    let unfinished = unfinished(target);
    fs::create_dir_all(&unfinished)?;
    // The lowest first, so that the upper ones replace its files.
    for layer in layers.iter().rev() {
        copy_dir(layer, &unfinished)?;
    }
    fs::rename(unfinished, target)
}

/// Copies the `layers` of a root filesystem into a directory of `disk`, unless that has been done
/// before, and returns the directory. After an upgrade, files of the new root filesystem replace
/// those of the one before, and what the node has written beside them stays.
///
/// # Errors
/// As [`merge`].
pub(crate) fn merge_over(layers: &[PathBuf], disk: &Path, upgrades: u32) -> io::Result<PathBuf> {
    let target = disk.join(format!("copy-{upgrades}"));
    if !target.exists()
        && let Some(before) = earlier_copy(disk)?
    {
        // An attempt that failed has left the copy unfinished, perhaps under this very name.
        fs::rename(before, unfinished(&target))?;
    }
    merge(layers, &target)?;
    Ok(target)
}

/// Finds the copy of a root filesystem that `disk` has, finished or not. There is at most one,
/// because each upgrade gives it another name.
fn earlier_copy(disk: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(disk)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b"copy-") {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

fn unfinished(target: &Path) -> PathBuf {
    target.with_extension("unfinished")
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
    // A directory and a file, or a link, of one name replace each other as a whole, as in an
    // overlay.
    if fs::symlink_metadata(to).is_ok_and(|there| there.is_dir() != kind.is_dir()) {
        fs::remove_file(to).or_else(|_| fs::remove_dir_all(to))?;
    }
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
    fn an_upgrade_replaces_what_it_has_and_leaves_the_rest() {
        let dir = std::env::temp_dir().join(format!("snowglobe-over-{}", std::process::id()));
        let (old, new, disk) = (dir.join("old"), dir.join("new"), dir.join("disk"));
        for tree in [&old, &new] {
            fs::create_dir_all(tree.join("usr")).unwrap();
        }
        fs::create_dir_all(&disk).unwrap();
        fs::write(old.join("usr/version"), "1").unwrap();
        fs::write(new.join("usr/version"), "2").unwrap();
        // `lib` is a directory of the old version, and a link of the new one.
        fs::create_dir(old.join("lib")).unwrap();
        symlink("usr", new.join("lib")).unwrap();
        let copy = merge_over(std::slice::from_ref(&old), &disk, 0).unwrap();
        fs::write(copy.join("usr/data"), "written").unwrap();
        let again = merge_over(&[old], &disk, 0).unwrap();
        assert_eq!((&again, read(&again, "usr/version").as_str()), (&copy, "1"));
        let upgraded = merge_over(std::slice::from_ref(&new), &disk, 1).unwrap();
        assert_eq!(read(&upgraded, "lib/version"), "2");
        assert_eq!(read(&upgraded, "usr/data"), "written");
        assert!(!copy.exists());
        // The attempt with no such layer fails, and so does that of the number after it: the copy
        // is not lost.
        merge_over(&[dir.join("none")], &disk, 2).unwrap_err();
        merge_over(&[dir.join("none")], &disk, 2).unwrap_err();
        let again = merge_over(&[new], &disk, 4).unwrap();
        assert_eq!(read(&again, "usr/data"), "written");
        fs::remove_dir_all(dir).unwrap();
    }

    fn read(tree: &Path, name: &str) -> String {
        fs::read_to_string(tree.join(name)).unwrap()
    }

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
