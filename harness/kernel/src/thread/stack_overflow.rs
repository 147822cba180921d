//! Notice of stack overflows, before Rust's runtime turns them into an abort like any other.
//!
//! A thread that overflows its stack faults in the guard page below. The handler of Rust's standard
//! library then writes a message and aborts (`library/std/src/sys/pal/unix/stack_overflow.rs`), so
//! that a parent sees a `SIGABRT` and no cause. The handler here goes first: it tells of the
//! overflow, and passes the signal on.
#![allow(unsafe_code)]

use std::mem::zeroed;
use std::ptr;
use std::sync::OnceLock;

use crate::process::signal::forget_aborts;

/// Distance from the stack pointer, in bytes, within which a fault is an overflow. rustc probes
/// each page of a large frame, so the first fault is near.
const NEAR: usize = 64 * 1024;

static TELL: OnceLock<fn()> = OnceLock::new();
/// Disposition of `SIGSEGV` before ours: the one of std, or the default.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Makes this process and its copies call `tell` on the thread whose stack overflows, before the
/// handler that was installed until now. Only the first call of this function has an effect.
///
/// `tell` runs in a signal handler, perhaps in the midst of an allocation. So the handler must call
/// only what is safe there (`signal-safety(7)`).
pub fn on_stack_overflow(tell: fn()) {
    if TELL.set(tell).is_err() {
        return;
    }
    // SAFETY: the structures are plain data and live across the calls. The handler has the
    // signature for SA_SIGINFO. PREVIOUS is set before the handler can read it.
    unsafe {
        let mut previous: libc::sigaction = zeroed();
        if libc::sigaction(libc::SIGSEGV, ptr::null(), &raw mut previous) != 0 {
            return;
        }
        let _ = PREVIOUS.set(previous);
        let mut action: libc::sigaction = zeroed();
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = on_fault;
        action.sa_sigaction = handler as usize;
        // The handler runs on the other stack that std gives to each of its threads: the thread's
        // own is full.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut());
    }
}

/// Calls the function that [`on_stack_overflow`] was given, if there is one. The caller aborts
/// afterwards.
pub(super) fn tell() {
    forget_aborts();
    if let Some(tell) = TELL.get() {
        tell();
    }
}

extern "C" fn on_fault(number: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo and context. A previous handler is called as the
    // kernel would have called it, on the same stack.
    unsafe {
        // The address counts only if the kernel has raised the signal: a signal of kill(2) has
        // none.
        let is_fault = (*info).si_code > 0;
        let address = (*info).si_addr() as usize;
        let stack = stack_pointer(&*context.cast::<libc::ucontext_t>());
        if is_fault && stack.is_some_and(|stack| address.abs_diff(stack) < NEAR) {
            tell();
        }
        match PREVIOUS.get() {
            // The previous handler is called, and not installed again so that the fault reaches it
            // the next time: a signal of kill(2) comes only once.
            Some(previous) if previous.sa_flags & libc::SA_SIGINFO != 0 => {
                let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                    std::mem::transmute(previous.sa_sigaction);
                handler(number, info, context);
            }
            Some(previous) => {
                libc::sigaction(libc::SIGSEGV, previous, ptr::null_mut());
            }
            None => {
                libc::signal(libc::SIGSEGV, libc::SIG_DFL);
            }
        }
    }
}

/// Returns the stack pointer at the time of a signal, on the architectures that are known here.
fn stack_pointer(context: &libc::ucontext_t) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    return usize::try_from(context.uc_mcontext.gregs[libc::REG_RSP as usize]).ok();
    #[cfg(target_arch = "aarch64")]
    return usize::try_from(context.uc_mcontext.sp).ok();
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let _ = context;
        None
    }
}
