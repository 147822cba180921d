//! Collecting children that have ended, without a wait.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;

use nix::sys::wait::{Id, WaitPidFlag, waitid};

/// The outcome of an attempt to reap a child.
pub enum Reaped {
    /// A child that has ended: its id, and its status as `wait(2)` gives it.
    One(i32, i32),
    /// A traced process or thread that has stopped: its id, and the code of the stop as
    /// [`next_stop`] gives it.
    Stopped(i32, i32),
    /// No child has ended.
    NoneYet,
    /// This process has no children.
    Childless,
}

/// Reaps one child that has ended, if there is one.
pub fn reap() -> Reaped {
    let mut status = 0;
    // WNOHANG: one SIGCHLD may stand for several children (signal(7)), so callers ask until none is
    // left. SAFETY: the status is ours and lives across the call.
    match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
        0 => Reaped::NoneYet,
        // Stops of traced processes are always told (ptrace(2)): the signal, and an event above it.
        pid if pid > 0 && libc::WIFSTOPPED(status) => Reaped::Stopped(pid, status >> 8),
        pid if pid > 0 => Reaped::One(pid, status),
        _ => Reaped::Childless,
    }
}

/// Returns the next stop of a traced process or thread, if there is one: its id and the code of the
/// stop, which is a signal, with an event of ptrace in the bits above the lowest eight.
///
/// Ends of processes are left for [`reap`].
pub fn next_stop() -> Option<(i32, i32)> {
    let options = libc::WSTOPPED | libc::WNOHANG | libc::__WALL;
    // SAFETY: all zero is a valid value, which the kernel overwrites. The fields are those of
    // SIGCHLD, which waitid(2) fills in; without a stop to tell of, the id stays 0.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let done = libc::waitid(libc::P_ALL, 0, &raw mut info, options);
        (done == 0 && info.si_pid() != 0).then(|| (info.si_pid(), info.si_status()))
    }
}

/// Waits until this process has no children, where the kernel reaps them
/// ([`ignore_children`](super::signal::ignore_children)).
pub fn await_childless() {
    // The call returns only then, with ECHILD (wait(2), NOTES).
    while nix::sys::wait::wait() == Err(nix::errno::Errno::EINTR) {}
}

/// Waits until the child behind `pidfd` has ended, and reaps it.
pub fn wait_for_child_of(pidfd: BorrowedFd<'_>) {
    // There is nothing to do about a child that cannot be waited for.
    let _ = waitid(Id::PIDFd(pidfd), WaitPidFlag::WEXITED);
}

/// Returns the signal by which the child `pid` is stopped now, unless a call has returned this stop
/// already.
///
/// A SIGCONT takes back what nobody has asked about (kernel/signal.c, `prepare_signal`).
pub fn stop_of_child(pid: i32) -> Option<i32> {
    stop_with(pid, libc::WSTOPPED | libc::WNOHANG)
}

/// Returns whether [`stop_of_child`] has a stop to tell of, and leaves it there.
pub fn is_stop_of_child_untold(pid: i32) -> bool {
    stop_with(pid, libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT).is_some()
}

fn stop_with(pid: i32, options: libc::c_int) -> Option<i32> {
    // SAFETY: all zero is a valid value, which the kernel overwrites. The fields are those of
    // SIGCHLD, which waitid(2) fills in; without a child to tell of, the id stays 0.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let id = pid.cast_unsigned();
        let done = libc::waitid(libc::P_PID, id, &raw mut info, options);
        (done == 0 && info.si_pid() != 0).then(|| info.si_status())
    }
}

/// Waits until the child `pid` has ended, and reaps it.
pub fn wait_for_child(pid: i32) {
    // There is nothing to do about a child that cannot be waited for.
    let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None);
}
