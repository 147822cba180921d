//! Processes by descriptors: a process id may be given to another process, a pidfd never is.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Returns a descriptor that is readable once process `pid` has exited.
///
/// # Errors
/// `ESRCH` if there is no such process.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the result is checked.
    // Close-on-exec by itself (pidfd_open(2)).
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends a signal, by number, to the process behind `pidfd`.
///
/// # Errors
/// `ESRCH` if the process was reaped.
pub fn pidfd_kill(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    // SAFETY: no pointers but a null one; the result is checked.
    // A null siginfo makes the kernel fill in what kill(2) would (pidfd_send_signal(2)).
    let done = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            0usize,
            0,
        )
    };
    if done < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Returns the id of the process of a pidfd in the PID namespace of `/proc`. There is none if the
/// process is gone (`pidfd_open(2)`, `proc_pid_fdinfo(5)`).
pub fn pid_of(pidfd: BorrowedFd<'_>) -> Option<i32> {
    let about = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let about = std::fs::read_to_string(about).ok()?;
    let pid = about.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    pid.trim().parse().ok().filter(|pid| *pid > 0)
}
