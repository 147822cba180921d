//! Notice of aborts, before the process ends.

use std::mem::zeroed;
use std::ptr;
use std::sync::OnceLock;

static TELL: OnceLock<fn()> = OnceLock::new();

/// Makes this process and its copies call `tell` before `SIGABRT` ends them as it would have. The
/// first call counts. Where the signal has another disposition than the default, it stays.
///
/// `tell` runs in a signal handler, perhaps in the midst of an allocation. So the handler must call
/// only what is safe there (`signal-safety(7)`).
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
        // The disposition is the default again when the handler runs: a second signal ends the
        // process. The thread may have overflown its own stack.
        action.sa_flags = libc::SA_RESETHAND | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGABRT, &raw const action, ptr::null_mut());
    }
}

/// Lets the next `SIGABRT` end this process without a call of what [`on_abort`] was given. A signal
/// handler may call this.
///
/// A thread whose stack has overflowed is on its other stack, which has no room for the frames of
/// two handlers: the second signal would become a SIGSEGV (sigaltstack(2), `MINSIGSTKSZ`).
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
    // Of kill(2) no second signal comes, other than of abort(3). This one is blocked until the
    // handler returns (sigaction(2)).
    // SAFETY: no pointers.
    unsafe {
        libc::raise(number);
    }
}
