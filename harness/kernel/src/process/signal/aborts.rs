//! Notice of aborts, before the process ends.

use std::mem::zeroed;
use std::ptr;
use std::sync::OnceLock;

static TELL: OnceLock<fn()> = OnceLock::new();

/// Makes this process and its forks call `tell` before `SIGABRT` ends the process. Only the first
/// call of this function counts. A disposition of the signal other than the default stays.
///
/// `tell` runs in a signal handler, perhaps in the middle of an allocation, so `tell` must call
/// async-signal-safe functions only (`signal-safety(7)`).
pub fn on_abort(tell: fn()) {
    if TELL.set(tell).is_err() {
        return;
    }
    // SAFETY: the structures are plain data and live across the calls. The handler has the
    // signature for no SA_SIGINFO.
    unsafe {
        let mut before: libc::sigaction = zeroed();
        let known = libc::sigaction(libc::SIGABRT, ptr::null(), &raw mut before) == 0;
        if !known || before.sa_sigaction != libc::SIG_DFL {
            return;
        }
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(i32) as usize;
        // SA_RESETHAND restores the default disposition before the handler runs, so a second signal
        // ends the process. SA_ONSTACK is for a thread that has overflowed its own stack.
        action.sa_flags = libc::SA_RESETHAND | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGABRT, &raw const action, ptr::null_mut());
    }
}

/// Lets the next `SIGABRT` end this process without a call of the function that [`on_abort`] was
/// given. A signal handler may call this function.
///
/// A thread whose stack has overflowed is on its alternate stack, which has no room for the frames
/// of two handlers: the second signal would become a SIGSEGV (sigaltstack(2), `MINSIGSTKSZ`).
pub fn forget_aborts() {
    // SAFETY: the structures are plain data and live across the calls.
    unsafe {
        let mut now: libc::sigaction = zeroed();
        let known = libc::sigaction(libc::SIGABRT, ptr::null(), &raw mut now) == 0;
        if known && now.sa_sigaction == on_signal as extern "C" fn(i32) as usize {
            libc::signal(libc::SIGABRT, libc::SIG_DFL);
        }
    }
}

extern "C" fn on_signal(number: i32) {
    if let Some(tell) = TELL.get() {
        tell();
    }
    // abort(3) raises the signal again after the handler, and kill(2) does not. The signal that is
    // raised here is blocked until the handler returns (sigaction(2)).
    // SAFETY: no pointers.
    unsafe {
        libc::raise(number);
    }
}
