//! Mount points of a node, made wherever the topology wants them.
//!
//! A node without a root filesystem of its own has the machine's files, which are read-only. A
//! mount point among them is made in a directory in memory, which takes the place of the machine's
//! in this node alone and has everything that the other has.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::kernel::fd;
use crate::kernel::mount;

/// The kind of a mount point, which is that of what is mounted there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MountPointKind {
    Directory,
    File,
}

impl MountPointKind {
    /// Returns the kind of mount point that a detached tree needs.
    pub(super) fn of(tree: &OwnedFd) -> Self {
        // A file can lie on a file only, and a directory on a directory (mount(2), ENOTDIR).
        match fd::is_directory(tree.as_fd()) {
            true => Self::Directory,
            false => Self::File,
        }
    }
}

/// Makes something on which a mount can lie, unless there is something.
pub(super) fn make_point(at: &Path, kind: MountPointKind) -> io::Result<()> {
    if at.exists() {
        return Ok(());
    }
    if kind == MountPointKind::Directory {
        return fs::create_dir_all(at);
    }
    if let Some(parent) = at.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::File::create(at).map(drop)
}

/// Makes a mount point as [`make_point`] does, also in a directory that cannot be written to.
pub(super) fn make_point_anywhere(at: &Path, kind: MountPointKind) -> io::Result<()> {
    match make_point(at, kind) {
        Err(refused) if is_forbidden(&refused) => {
            let ancestors = at.ancestors().skip(1);
            let there = ancestors.filter(|directory| directory.exists());
            let directory = there.map(fs::canonicalize).next().ok_or(refused)??;
            put_into_memory(&directory)?;
            make_point(at, kind)
        }
        done => done,
    }
}

/// Returns whether a directory takes no entry, as one of the machine's (`EROFS`) or one that
/// belongs to an id which is not mapped (`EACCES`).
fn is_forbidden(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
    )
}

/// An entry of a directory while a directory in memory takes the place of that directory.
enum HeldEntry {
    Link(PathBuf),
    Tree(OwnedFd),
}

/// Mounts a directory in memory over another one, with the same entries.
///
/// An overlay would hide what is mounted below the directory, and the kernel refuses one over
/// locked mounts (`EINVAL`, `fs/overlayfs/super.c` by way of `clone_private_mount`).
fn put_into_memory(directory: &Path) -> io::Result<()> {
    let mut held = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let what = match entry.file_type()?.is_symlink() {
            true => HeldEntry::Link(fs::read_link(entry.path())?),
            false => {
                let below = mount::MountsBelow::Copied;
                HeldEntry::Tree(mount::detach_copy(&entry.path(), below)?)
            }
        };
        held.push((entry.file_name(), what));
    }
    let mode = fs::metadata(directory)?.permissions().mode() & 0o7777;
    let data = CString::new(format!("mode={mode:o}"))?;
    // A mount over `/` does not change the root of this process, so the new root is made at /run
    // and becomes the root by pivot_root(2). The tree below /run has been copied by then.
    let is_root = directory == Path::new("/");
    let stage = if is_root {
        Path::new("/run")
    } else {
        directory
    };
    mount::fresh(c"tmpfs", stage, Some(&data))?;
    for (name, what) in held {
        let place = stage.join(name);
        match what {
            HeldEntry::Link(target) => symlink(target, place)?,
            HeldEntry::Tree(tree) => {
                make_point(&place, MountPointKind::of(&tree))?;
                mount::attach(tree.as_fd(), &place)?;
            }
        }
    }
    if is_root {
        mount::pivot(stage)?;
    }
    Ok(())
}
