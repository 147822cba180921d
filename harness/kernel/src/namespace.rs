//! How namespaces are related to each other.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

/// `_IO(0xb7, 1)` and `_IO(0xb7, 2)` of `linux/nsfs.h`.
const NS_GET_USERNS: libc::Ioctl = 0xb701;
const NS_GET_PARENT: libc::Ioctl = 0xb702;

/// The user namespace that owns a namespace.
pub fn owner_of(namespace: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    relative(namespace, NS_GET_USERNS)
}

/// The parent of a user or PID namespace.
pub fn parent_of(namespace: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    relative(namespace, NS_GET_PARENT)
}

fn relative(namespace: BorrowedFd<'_>, request: libc::Ioctl) -> nix::Result<OwnedFd> {
    // SAFETY: these requests take no argument.
    let fd = Errno::result(unsafe { libc::ioctl(namespace.as_raw_fd(), request) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
