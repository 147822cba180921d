//! Forking without helpers of libc, and ending a process without clean-up.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::unistd::ForkResult;

/// Forks a process of which a single thread is awake.
///
/// This is `_Fork`, which does without the handlers that `fork` runs to take and give back locks
/// (each touches a page that must then be copied): there is nobody to hold one.
pub fn fork() -> nix::Result<ForkResult> {
    unsafe extern "C" {
        fn _Fork() -> libc::pid_t;
    }
    // SAFETY: called only where no other thread is, or where all others sleep without a lock, so
    // the child may use everything that its parent could.
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

/// Ends the calling thread and with it the process, whose only one it is: destroys the thread's
/// local values first, the latest first.
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
