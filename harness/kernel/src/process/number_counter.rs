//! The counter by which the kernel numbers the processes of a PID namespace.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use crate::Result;
use crate::fixed_str::FixedStr;

/// The file that has the last number which was given, `ns_last_pid`.
///
/// The file stands for the PID namespace of whoever writes to it, and not of whoever has opened it
/// (`kernel/pid_namespace.c`, `pid_ns_ctl_handler`). So it is opened once for all trials: in the
/// new procfs of a trial the kernel would have to make an inode for each part of the path.
#[derive(Debug)]
pub struct NumberCounter(OwnedFd);

impl NumberCounter {
    /// Opens the file.
    ///
    /// # Errors
    /// `ENOENT` on a kernel without CONFIG_CHECKPOINT_RESTORE.
    pub fn open() -> Result<Self> {
        crate::procfs::sysctls::open_to_write("kernel/ns_last_pid").map(Self)
    }

    /// Makes the next process in the PID namespace of the calling process get `number`, if the
    /// number is free, and those after it the next numbers.
    ///
    /// # Errors
    /// `EPERM` without `CAP_CHECKPOINT_RESTORE` in the owner of the PID namespace; `EINVAL` for a
    /// number beyond the largest.
    pub fn go_on_with(&self, number: u32) -> Result<()> {
        let last = FixedStr::<10>::of(format_args!("{}", number.saturating_sub(1)));
        // At an offset, for copies of this process share the position of the file, and the kernel
        // takes no number that is written behind another (Documentation/admin-guide/sysctl/
        // kernel.rst, sysctl_writes_strict).
        // SAFETY: the text lives across the call, and its length is its own.
        let done = unsafe { libc::pwrite(self.0.as_raw_fd(), last.as_ptr().cast(), last.len(), 0) };
        Errno::result(done).map(drop)
    }
}

impl AsFd for NumberCounter {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
