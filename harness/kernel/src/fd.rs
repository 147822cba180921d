//! Descriptors and files by bare system calls, for processes that must not touch the heap or the
//! owners.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// Device and inode of an open file. Descriptors with the same identity lead to the same file, pipe or
/// terminal (`stat(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// Returns the identity of the file to which `fd` leads, or `None` if `fd` is closed.
    pub fn of(fd: impl AsFd) -> Option<Self> {
        let stat = nix::sys::stat::fstat(fd).ok()?;
        Some(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        })
    }
}

/// Makes `to` (0, 1 or 2) a copy of `from`, kept across `exec`.
pub fn replace_standard(from: BorrowedFd<'_>, to: RawFd) -> nix::Result<()> {
    debug_assert!((0..=2).contains(&to));
    // SAFETY: the numbers 0, 1 and 2 are nobody's property in the processes that call this.
    let done = unsafe { libc::dup2(from.as_raw_fd(), to) };
    Errno::result(done).map(drop)
}

/// Closes these, in a copy of a process that will never use or drop what owns them.
pub fn close_in_copy(fds: &[BorrowedFd<'_>]) {
    for fd in fds {
        // SAFETY: the caller promises that nobody uses the descriptors any more.
        unsafe { libc::close(fd.as_raw_fd()) };
    }
}

/// Closes every descriptor but 0, 1, 2 and these; for a process that will never drop what owned
/// them.
pub fn close_all_but(kept: &[RawFd]) -> nix::Result<()> {
    let mut kept: Vec<u32> = kept.iter().map(|fd| fd.cast_unsigned()).collect();
    kept.sort_unstable();
    let mut from = 3;
    for kept in kept.into_iter().chain([u32::MAX]) {
        if kept > from {
            // SAFETY: the caller promises that nobody uses the descriptors any more.
            let done = unsafe { libc::syscall(libc::SYS_close_range, from, kept - 1, 0u32) };
            Errno::result(done)?;
        }
        from = from.max(kept.saturating_add(1));
    }
    Ok(())
}

/// Writes `text` to a file that is there, such as one of the kernel's, in one piece.
pub fn write_file(path: &CStr, text: &str) -> nix::Result<()> {
    // SAFETY: the path is a C string that lives across the call.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    let fd = Errno::result(fd)?;
    // SAFETY: the kernel has just made this descriptor for us.
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: the text lives across the call, and its length is its own.
    let done = unsafe { libc::write(file.as_raw_fd(), text.as_ptr().cast(), text.len()) };
    Errno::result(done).map(drop)
}
