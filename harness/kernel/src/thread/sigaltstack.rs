//! Messages about stack overflows, for code that runs before Rust's runtime is set up.
//!
//! The runtime makes a fault in the guard page of a stack a message and an abort. Without it an
//! overflow is a plain SIGSEGV, and a test does not say why it died. A fault on a full stack can
//! only be handled on another stack (`sigaltstack(2)`).
#![allow(unsafe_code)]

use std::mem::{size_of, zeroed};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static ACTIVE: AtomicBool = AtomicBool::new(false);
/// Lowest address of the test thread's stack. A fault just below is an overflow.
static LOWEST: AtomicUsize = AtomicUsize::new(0);

/// Bytes around the end of the stack in which a fault is an overflow. rustc probes each page of a
/// large frame, so that no frame skips the guard.
const GUARD: usize = 64 * 1024;
/// Bytes of the stack for signal handlers.
const SIGNAL_STACK: usize = 64 * 1024;

/// Ignores `SIGPIPE`, as the runtime does, and switches [`watch_this_thread`] on.
pub fn stand_in_for_runtime() {
    ACTIVE.store(true, Ordering::Relaxed);
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Makes an overflow of the calling thread's stack an abort with a message, as std does.
///
/// Does nothing if std does so itself, as after `main` has begun.
pub fn watch_this_thread() {
    if !ACTIVE.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: the attributes are initialised by `pthread_getattr_np` before they are read, and
    // destroyed once. The signal stack is leaked, so it lives as long as the thread. The handler
    // has the signature for SA_SIGINFO and calls only what is safe in a signal handler.
    unsafe {
        let mut attributes: libc::pthread_attr_t = zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
            return;
        }
        let (mut lowest, mut size) = (ptr::null_mut(), 0);
        libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut size);
        libc::pthread_attr_destroy(&raw mut attributes);
        LOWEST.store(lowest as usize, Ordering::Relaxed);
        let stack = libc::stack_t {
            ss_sp: Box::leak(vec![0u8; SIGNAL_STACK].into_boxed_slice())
                .as_mut_ptr()
                .cast(),
            ss_flags: 0,
            ss_size: SIGNAL_STACK,
        };
        libc::sigaltstack(&raw const stack, ptr::null_mut());
        let mut action: libc::sigaction = zeroed();
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = on_fault;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut());
    }
    const { assert!(size_of::<usize>() == 8, "addresses fit an AtomicUsize") };
}

extern "C" fn on_fault(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo; the rest are async-signal-safe calls, as is
    // whatever `tell` calls.
    unsafe {
        let address = (*info).si_addr() as usize;
        let lowest = LOWEST.load(Ordering::Relaxed);
        if (lowest.saturating_sub(GUARD)..lowest + GUARD).contains(&address) {
            super::stack_overflow::tell();
            let text = b"\nthe test's thread has overflowed its stack\n";
            libc::write(2, text.as_ptr().cast(), text.len());
            libc::abort();
        }
        // This is another fault: with the default disposition the instruction faults again and ends
        // the process as it would have without this handler.
        libc::signal(libc::SIGSEGV, libc::SIG_DFL);
    }
}
