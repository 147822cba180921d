//! Trees of mounts that are attached nowhere: copied, changed, and attached again.
//!
//! A bind mount has to be attached before its flags can be changed, so others see it for a moment
//! with the wrong flags. A detached tree is complete before anybody can see it (`open_tree(2)`,
//! `move_mount(2)`; Linux 5.2), and a descriptor carries it into another process.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;

use super::c_path;

/// Attribute of mounts that nobody may write to.
pub const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
/// Attribute of mounts whose device nodes cannot be opened.
pub const NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV;

/// Treatment of the mounts below a mount that is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountsBelow {
    /// The mounts below are copied too.
    Copied,
    /// The mounts below are left out of the copy.
    LeftOut,
}

/// Copies the mount at `path`, and attaches the copy nowhere.
///
/// # Errors
/// There is no such path, or the thread lacks `CAP_SYS_ADMIN` in the owner of its mount namespace.
pub fn detach_copy(path: &Path, below: MountsBelow) -> crate::Result<OwnedFd> {
    let path = c_path(path)?;
    let recursive = match below {
        MountsBelow::Copied => libc::AT_RECURSIVE as u32,
        MountsBelow::LeftOut => 0,
    };
    // Without OPEN_TREE_CLONE the descriptor would stand for the mount itself.
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | recursive;
    // SAFETY: the path is a C string that lives across the call.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Attaches a detached tree at `target`.
///
/// # Errors
/// There is no such path, or a directory would cover a file or the reverse.
pub fn attach(tree: BorrowedFd<'_>, target: &Path) -> crate::Result<()> {
    let target = c_path(target)?;
    // SAFETY: both paths are C strings that live across the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            // The empty path means: the tree of the descriptor itself.
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(done).map(drop)
}

/// Changes to the attributes of mounts.
#[derive(Default)]
pub struct MountAttributes<'a> {
    /// Attributes to set, `MOUNT_ATTR_*`.
    pub set: u64,
    /// Attributes to clear, `MOUNT_ATTR_*`.
    pub clear: u64,
    /// User namespace whose mapping of ids the mount gets. The mount must be detached.
    pub idmap: Option<BorrowedFd<'a>>,
    /// Whether everything mounted below changes too.
    pub recursive: bool,
    /// Whether what is mounted on the tree later appears there only. Otherwise it appears on the
    /// original of a copy as well, and the reverse, where that is shared (`mount_namespaces(7)`).
    pub private: bool,
}

/// Changes the attributes of the tree of this descriptor (`mount_setattr(2)`).
///
/// # Errors
/// A mount is locked, or its filesystem has no idmapped mounts.
pub fn set_attributes(tree: BorrowedFd<'_>, what: &MountAttributes<'_>) -> crate::Result<()> {
    mount_setattr(tree.as_raw_fd(), c"", libc::AT_EMPTY_PATH, what)
}

/// Changes the attributes of the tree at `path`.
///
/// # Errors
/// A mount is locked, or there is no such path.
pub fn set_attributes_at(path: &Path, what: &MountAttributes<'_>) -> crate::Result<()> {
    mount_setattr(libc::AT_FDCWD, &c_path(path)?, 0, what)
}

fn mount_setattr(
    dir: i32,
    path: &CStr,
    flags: i32,
    what: &MountAttributes<'_>,
) -> crate::Result<()> {
    let mut attr = libc::mount_attr {
        attr_set: what.set,
        attr_clr: what.clear,
        // 0 leaves the propagation as it is.
        propagation: if what.private { libc::MS_PRIVATE } else { 0 },
        userns_fd: 0,
    };
    if let Some(userns) = what.idmap {
        // The kernel reads `userns_fd` only with this flag (mount_setattr(2)).
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
