//! Collecting children that have ended, without a wait.
#![allow(unsafe_code)]

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

/// Waits until the child `pid` has ended, and reaps it.
pub fn wait_for_child(pid: i32) {
    // There is nothing to do about a child that cannot be waited for.
    let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None);
}
