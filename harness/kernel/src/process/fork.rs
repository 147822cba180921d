//! Processes: forking, exiting, environment, limits.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::ForkResult;

/// Forks a process of which a single thread is awake.
///
/// This is `_Fork`, which does without the handlers that `fork` runs to take and give back locks
/// (each touches a page that must then be copied): there is nobody to hold one.
pub fn fork() -> nix::Result<ForkResult> {
    unsafe extern "C" {
        fn _Fork() -> libc::pid_t;
    }
    // SAFETY: called only where no other thread is, or where all others sleep without a lock, so the
    // child may use everything that its parent could.
    match Errno::result(unsafe { _Fork() })? {
        0 => Ok(ForkResult::Child),
        pid => Ok(ForkResult::Parent {
            child: nix::unistd::Pid::from_raw(pid),
        }),
    }
}

/// Runs what a forked copy of this process is there for, and ends it: a panic must not unwind into
/// what the original was doing.
pub fn never_return(run: impl FnOnce()) -> ! {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    exit_now(if outcome.is_ok() { 0 } else { 101 })
}

/// Ends this process at once: no destructors, no flushing.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no precondition.
    unsafe { libc::_exit(code) }
}

/// Ends the calling thread and with it the process, whose only one it is: destroys the thread's local
/// values first, the latest first.
pub fn end_with_this_thread() -> ! {
    // SAFETY: neither has a precondition; nothing in this process' frames waits to be dropped.
    #[cfg(target_env = "gnu")]
    unsafe {
        // Which begins with those of the calling thread.
        libc::exit(1)
    }
    #[cfg(not(target_env = "gnu"))]
    unsafe {
        libc::pthread_exit(std::ptr::null_mut())
    }
}

/// Writes out what C libraries have buffered for stdout and other streams.
pub fn flush_c_streams() {
    // SAFETY: a null stream stands for all of them.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

/// Sets an environment variable.
pub fn set_env(key: &str, value: impl AsRef<OsStr>) {
    // SAFETY: called in the nursery, or in a body before the test has started a thread.
    unsafe { std::env::set_var(key, value) }
}

/// Removes an environment variable.
pub fn remove_env(key: &str) {
    // SAFETY: as in `set_env`.
    unsafe { std::env::remove_var(key) }
}

/// A descriptor that is readable once process `pid` has exited.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the result is checked.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends `signal` to the process behind `pidfd`.
pub fn pidfd_kill(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    // SAFETY: no pointers but a null one; the result is checked.
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

/// Raises the soft limit of open files to what is wanted, as far as the hard limit allows.
/// Returns the soft limit that holds then.
pub fn raise_open_files(wanted: u64) -> nix::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= wanted {
        return Ok(soft);
    }
    let new = wanted.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, new, hard)?;
    Ok(new)
}

/// What there was to reap.
pub enum Reaped {
    /// A child that has ended: its number and its wait status, as `wait` gives it.
    One(i32, i32),
    /// No child has ended.
    NoneYet,
    /// There are no children.
    Childless,
}

/// Reaps one child that has ended, if there is one.
pub fn reap() -> Reaped {
    let mut status = 0;
    // SAFETY: the status is ours and lives across the call.
    match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
        0 => Reaped::NoneYet,
        pid if pid > 0 => Reaped::One(pid, status),
        _ => Reaped::Childless,
    }
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
