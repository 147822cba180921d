//! Where the kernel writes down which processor a thread is on (restartable sequences).
//!
//! glibc registers a place for each thread that it starts, and reads it in `sched_getcpu`, as some
//! allocators do. It knows of no other processes in the same memory; for those the kernel forgets
//! the place, and a fork of theirs would go by what was true before.
#![allow(unsafe_code)]

use std::sync::OnceLock;

/// As glibc registers it.
#[derive(Clone, Copy)]
struct RseqArea {
    /// From the thread pointer on.
    offset: isize,
    size: u32,
}

/// As glibc has it; a no-op where that is not known.
const SIGNATURE: Option<u32> = match () {
    () if cfg!(target_arch = "x86_64") => Some(0x5305_3053),
    () if cfg!(target_arch = "aarch64") => Some(0xd428_bc00),
    () => None,
};

/// Looks it up, once; whoever is to call [`register`] has to be a copy of the caller.
pub fn prepare() {
    AREA.get_or_init(find);
}

static AREA: OnceLock<Option<RseqArea>> = OnceLock::new();

fn find() -> Option<RseqArea> {
    /// The kernel's smallest, of which glibc may say that it uses less.
    const SMALLEST: u32 = 32;
    // SAFETY: both are names of data that lives as long as the program; where there are any, glibc
    // (2.35 and later) documents them as a `ptrdiff_t` and an `unsigned int`.
    unsafe {
        let offset = libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_offset".as_ptr());
        let size = libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_size".as_ptr());
        if offset.is_null() || size.is_null() {
            return None;
        }
        let size = size.cast::<u32>().read();
        (size > 0).then(|| RseqArea {
            offset: offset.cast::<isize>().read(),
            size: size.max(SMALLEST),
        })
    }
}

/// Registers the calling thread's place with the kernel for the calling process, which has none
/// yet.
pub fn register() {
    let place = AREA.get().copied().flatten();
    let (Some(RseqArea { offset, size }), Some(signature)) = (place, SIGNATURE) else {
        return;
    };
    let place = thread_pointer().wrapping_add_signed(offset);
    // SAFETY: the place is the calling thread's own, reserved by glibc for this. The kernel checks
    // its alignment.
    unsafe { libc::syscall(libc::SYS_rseq, place, size, 0, signature) };
}

#[cfg(target_arch = "x86_64")]
fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: by the ABI the word at the segment's start is its own address.
    unsafe {
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly, preserves_flags));
    }
    pointer
}

#[cfg(target_arch = "aarch64")]
fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe {
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, nomem, preserves_flags));
    }
    pointer
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn thread_pointer() -> usize {
    0
}
