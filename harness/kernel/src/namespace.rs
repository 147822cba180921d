//! Namespaces by descriptors: entering and leaving them, and their relations to each other.
//!
//! A namespace has no name. A descriptor of a file in `/proc/PID/ns`, or a pidfd, stands for it.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
pub use nix::sched::CloneFlags;
pub use nix::unistd::sethostname;

use crate::Result;

/// Moves the calling thread into a namespace, or into those of a process that `kinds` name if the
/// descriptor is a pidfd (`setns(2)`).
///
/// # Errors
/// The thread lacks `CAP_SYS_ADMIN` in the namespace, or shares what it must not share.
pub fn enter(namespace: BorrowedFd<'_>, kinds: CloneFlags) -> Result<()> {
    nix::sched::setns(namespace, kinds)
}

/// Gives the calling thread namespaces of its own, or makes it share less with other threads
/// (`unshare(2)`).
///
/// # Errors
/// The kernel permits no more namespaces, or the thread lacks `CAP_SYS_ADMIN`.
pub fn unshare(kinds: CloneFlags) -> Result<()> {
    nix::sched::unshare(kinds)
}

/// Returns the user namespace that owns a namespace.
///
/// # Errors
/// The owner is not within sight of the caller's user namespace (`ioctl_ns(2)`).
pub fn owner_of(namespace: BorrowedFd<'_>) -> Result<OwnedFd> {
    relative(namespace, crate::uapi::NS_GET_USERNS)
}

/// Returns the parent of a user or PID namespace.
///
/// # Errors
/// The parent is not within sight of the caller's namespace, or there is none.
pub fn parent_of(namespace: BorrowedFd<'_>) -> Result<OwnedFd> {
    relative(namespace, crate::uapi::NS_GET_PARENT)
}

fn relative(namespace: BorrowedFd<'_>, request: libc::Ioctl) -> Result<OwnedFd> {
    // SAFETY: these requests take no argument.
    // The kernel opens the new descriptor close-on-exec (fs/nsfs.c, open_related_ns).
    let fd = Errno::result(unsafe { libc::ioctl(namespace.as_raw_fd(), request) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
