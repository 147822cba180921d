//! Forking without helpers of libc, and ending a process without clean-up.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::unistd::ForkResult;

/// Forks a process of which a single thread is awake.
///
/// # Errors
/// `EAGAIN` if there are too many processes (`fork(2)`).
#[inline]
pub fn fork() -> crate::Result<ForkResult> {
    unsafe extern "C" {
        fn _Fork() -> libc::pid_t;
    }
    // `_Fork` (glibc 2.34, musl) does without the handlers that `fork` runs in order to take and
    // give back locks. Each touches a page that must then be copied, and nobody holds a lock here.
    // SAFETY: called only where no other thread is, or where all others sleep without a lock, so
    // the child may use everything that its parent could.
    match Errno::result(unsafe { _Fork() })? {
        0 => Ok(ForkResult::Child),
        pid => Ok(ForkResult::Parent {
            child: nix::unistd::Pid::from_raw(pid),
        }),
    }
}

/// Runs the work of a forked copy of this process, and ends the copy.
///
/// A panic ends the copy as well: it must not unwind into the frames of the original.
pub fn never_return(run: impl FnOnce()) -> ! {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    exit_now(if outcome.is_ok() { 0 } else { 101 })
}

/// Ends this process at once, without destructors and without writing buffered output.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no precondition.
    unsafe { libc::_exit(code) }
}

unsafe extern "C" {
    fn __cxa_thread_atexit_impl();
}

/// Links the part of glibc that destroys thread-local values in `exit`. std refers to that part
/// weakly (`library/std/src/sys/thread_local/destructors/linux_like.rs`), which does not link it
/// into a static program.
#[used]
static THREAD_LOCAL_DESTRUCTORS: unsafe extern "C" fn() = __cxa_thread_atexit_impl;

/// Ends the calling thread, the only one of its process, and so the process.
///
/// The thread's local values are destroyed first, the latest first.
pub fn end_with_this_thread() -> ! {
    // glibc's `exit` begins with the local values of the calling thread (__call_tls_dtors in
    // stdlib/exit.c).
    // SAFETY: `exit` has no precondition on the only thread of a process; nothing in this process'
    // frames waits to be dropped.
    unsafe { libc::exit(1) }
}

/// Runs `work` in a fork of this process, and returns the exit code, which is what `work` returns.
///
/// The other tests of this process run meanwhile. libc's own `fork` leaves the allocator in a state
/// that the child can use; [`fork`] does not.
#[cfg(test)]
pub(crate) fn code_of_fork(work: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child allocates and calls the kernel, and ends without clean-up.
    match unsafe { nix::unistd::fork() }.expect("a fork") {
        ForkResult::Child => exit_now(work()),
        ForkResult::Parent { child } => match nix::sys::wait::waitpid(child, None) {
            Ok(nix::sys::wait::WaitStatus::Exited(_, code)) => code,
            other => panic!("the fork ended otherwise: {other:?}"),
        },
    }
}
