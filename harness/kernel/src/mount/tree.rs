//! Trees of mounts that are attached nowhere: copied, changed, and attached again.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;

use super::c_path;

/// Read-only, see [`set_attributes`].
pub const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
/// No device nodes, see [`set_attributes`].
pub const NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV;

/// A copy of the mount at `path`, attached nowhere; with everything mounted below it if
/// `recursive`.
pub fn detach_copy(path: &Path, recursive: bool) -> nix::Result<OwnedFd> {
    let path = c_path(path)?;
    let recursive = if recursive {
        libc::AT_RECURSIVE as u32
    } else {
        0
    };
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | recursive;
    // SAFETY: the path is a C string that lives across the call.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Attaches a detached tree at `target`.
pub fn attach(tree: BorrowedFd<'_>, target: &Path) -> nix::Result<()> {
    let target = c_path(target)?;
    // SAFETY: both paths are C strings that live across the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(done).map(drop)
}

/// What to do to a tree of mounts.
#[derive(Default)]
pub struct MountAttributes<'a> {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: u64,
    /// The user namespace whose mapping the mount shows.
    pub idmap: Option<BorrowedFd<'a>>,
    /// Everything mounted below as well.
    pub recursive: bool,
}

/// Changes the attributes of a (detached) tree.
pub fn set_attributes(tree: BorrowedFd<'_>, what: &MountAttributes<'_>) -> nix::Result<()> {
    mount_setattr(tree.as_raw_fd(), c"", libc::AT_EMPTY_PATH, what)
}

/// Changes the attributes of the tree at `path`.
pub fn set_attributes_at(path: &Path, what: &MountAttributes<'_>) -> nix::Result<()> {
    mount_setattr(libc::AT_FDCWD, &c_path(path)?, 0, what)
}

fn mount_setattr(dir: i32, path: &CStr, flags: i32, what: &MountAttributes<'_>) -> nix::Result<()> {
    let mut attr = libc::mount_attr {
        attr_set: what.set,
        attr_clr: what.clear,
        propagation: 0,
        userns_fd: 0,
    };
    if let Some(userns) = what.idmap {
        attr.attr_set |= libc::MOUNT_ATTR_IDMAP;
        attr.userns_fd = userns.as_raw_fd() as u64;
    }
    let flags = if what.recursive {
        flags | libc::AT_RECURSIVE
    } else {
        flags
    };
    // SAFETY: the path and the attributes live across the call, and the size is theirs.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir,
            path.as_ptr(),
            flags as u32,
            &raw const attr,
            size_of_val(&attr),
        )
    };
    Errno::result(done).map(drop)
}
