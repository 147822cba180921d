//! LeakSanitizer, as far as it has to know of a fork.
//!
//! At the end of a process it looks for memory to which nothing leads: no global value, no stack
//! and no register of a thread that its runtime has seen start (`compiler-rt/lib/lsan`). A test
//! body is a copy of one thread of a zygote. The other threads of the zygote are not there, and
//! the copy has another number than its original. So what these threads hold would be taken for
//! lost, in every trial.
//!
//! In a program without the sanitizer, the functions of this file do nothing.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::profile::runtime;

/// Makes LeakSanitizer ignore memory that the calling thread allocates from now on.
pub fn ignore_what_follows() {
    call(runtime().lsan_disable);
}

/// Takes back an earlier [`ignore_what_follows`] of the calling thread.
pub fn look_again() {
    call(runtime().lsan_enable);
}

fn call(address: usize) {
    if address != 0 {
        // SAFETY: the address is that of `void __lsan_disable(void)` or of its counterpart
        // (sanitizer/lsan_interface.h).
        unsafe { std::mem::transmute::<usize, extern "C" fn()>(address)() }
    }
}

/// Addresses in the stack of the first thread, in the values of that thread, and of the memory in
/// which AddressSanitizer keeps the local variables of functions (`fake stack`); 0 if there is
/// none.
static OF_FIRST_THREAD: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];

/// Remembers where the calling thread keeps its values: the first thread of the process, of which
/// the zygotes' first threads are copies.
pub fn remember_first_thread() {
    let runtime = runtime();
    if runtime.lsan_register_root_region == 0 {
        return;
    }
    let local = 0u8;
    let fake = match runtime.asan_get_current_fake_stack {
        0 => 0,
        // SAFETY: the address is that of `void *__asan_get_current_fake_stack(void)`
        // (sanitizer/asan_interface.h).
        address => unsafe {
            std::mem::transmute::<usize, extern "C" fn() -> *mut c_void>(address)().addr()
        },
    };
    // SAFETY: it has no precondition.
    let values = unsafe { libc::pthread_self() } as usize;
    for (place, address) in OF_FIRST_THREAD
        .iter()
        .zip([stack_near(&local), values, fake])
    {
        place.store(address, Ordering::Relaxed);
    }
}

/// Returns an address in the calling thread's stack. With AddressSanitizer a local variable may be
/// elsewhere, so the address is that of the frame.
fn stack_near(local: &u8) -> usize {
    let mut stack = (&raw const *local).addr();
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads a register.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) stack, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reads a register.
    unsafe {
        std::arch::asm!("mov {}, sp", out(reg) stack, options(nomem, nostack, preserves_flags));
    }
    stack
}

/// Bytes of thread-local values on each side of the address that libc has for a thread
/// (`pthread_self(3)`).
const VALUES: usize = 32 << 10;

/// Makes LeakSanitizer treat as reachable all memory to which thread-local values and the stack of
/// the calling thread lead.
///
/// The sanitizer stops all threads by a process of its own, which has the rights of the thread that
/// ends the program. The sanitizer skips threads with more capabilities (ptrace(2), "Ptrace access
/// mode checking"), and with them all memory that they hold.
pub fn keep_what_this_thread_holds() {
    /// Bytes of the stack of a thread that std starts (`library/std/src/thread/mod.rs`).
    const STACK: usize = 2 << 20;
    let local = 0u8;
    let stack = stack_near(&local);
    // SAFETY: it has no precondition.
    let values = unsafe { libc::pthread_self() } as usize;
    keep(stack.saturating_sub(STACK), stack);
    keep(values.saturating_sub(VALUES), values + VALUES);
}

/// Makes LeakSanitizer take all for reachable to which values of the zygote's threads lead, in this
/// process, a copy of the calling thread.
pub fn keep_what_threads_hold() {
    /// Bytes of the stack of a first thread, at the usual limit, and of arguments and environment.
    const STACK: usize = 9 << 20;
    /// Bytes of a fake stack at most (`compiler-rt/lib/asan/asan_fake_stack.h`).
    const FAKE_STACK: usize = 12 << 24;
    let [stack, values, fake] =
        [0, 1, 2].map(|at: usize| OF_FIRST_THREAD[at].load(Ordering::Relaxed));
    // SAFETY: it has no precondition.
    let own_values = unsafe { libc::pthread_self() } as usize;
    // The sanitizer looks at those parts of a region that are mapped.
    keep(stack.saturating_sub(1 << 20), stack + STACK);
    keep(fake, fake + FAKE_STACK);
    for values in [values, own_values] {
        keep(values.saturating_sub(VALUES), values + VALUES);
    }
}

fn keep(from: usize, to: usize) {
    let address = runtime().lsan_register_root_region;
    if address != 0 && from != 0 {
        // SAFETY: the address is that of `void __lsan_register_root_region(const void *, size_t)`
        // (sanitizer/lsan_interface.h), which only remembers both.
        unsafe {
            let register: extern "C" fn(usize, usize) = std::mem::transmute(address);
            register(from, to - from);
        }
    }
}
