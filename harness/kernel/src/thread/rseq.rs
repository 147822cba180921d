//! Restartable sequences: memory in which the kernel writes which processor a thread runs on.
//!
//! glibc registers such an area for each thread that it starts, and reads the area in
//! `sched_getcpu(3)`, as some allocators do. A child in the same memory has no registration: the
//! kernel drops it at `clone` with CLONE_VM (`include/linux/rseq.h`, `rseq_fork`). A fork of such a
//! child would read the processor that its original was on, so the child registers the area again.
#![allow(unsafe_code)]

use std::sync::OnceLock;

/// The area that glibc registers.
#[derive(Clone, Copy)]
struct RseqArea {
    /// Offset of the area from the thread pointer, in bytes.
    offset: isize,
    size: u32,
}

/// Signature in front of abort handlers, as glibc registers it (`sys/rseq.h`, `RSEQ_SIG`). Without
/// a known signature nothing is registered.
const SIGNATURE: Option<u32> = match () {
    () if cfg!(target_arch = "x86_64") => Some(0x5305_3053),
    () if cfg!(target_arch = "aarch64") => Some(0xd428_bc00),
    () => None,
};

/// Looks the area up once. Processes that call `register` have to be copies of the caller.
pub fn prepare() {
    AREA.get_or_init(find);
}

static AREA: OnceLock<Option<RseqArea>> = OnceLock::new();

fn find() -> Option<RseqArea> {
    /// Bytes of the smallest area that the kernel takes. glibc may report fewer, as it uses fewer.
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
        // glibc sets the size to 0 if registration is switched off by a tunable
        // (glibc.pthread.rseq).
        (size > 0).then(|| RseqArea {
            offset: offset.cast::<isize>().read(),
            size: size.max(SMALLEST),
        })
    }
}

/// Registers the calling thread's area with the kernel for the calling process, which has none yet.
pub(crate) fn register() {
    let area = AREA.get().copied().flatten();
    let (Some(RseqArea { offset, size }), Some(signature)) = (area, SIGNATURE) else {
        return;
    };
    let address = thread_pointer().wrapping_add_signed(offset);
    // SAFETY: the area is the calling thread's own, reserved by glibc for this. The kernel checks
    // its alignment.
    unsafe { libc::syscall(libc::SYS_rseq, address, size, 0, signature) };
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
