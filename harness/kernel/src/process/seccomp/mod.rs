//! Filters on system calls (`seccomp(2)`).
//!
//! A filter holds for the calling thread and for whatever it starts, for good. Calls that it lets
//! through cost nothing: the kernel remembers which calls a filter always allows (Linux 5.11,
//! kernel/seccomp.c, `seccomp_cache_check_allow`).
//!
//! | file | role |
//! |---|---|
//! | `clock_calls` | shows a tracer the calls that ask for the time of day |
//! | `other_ids` | refuses calls that name other users than one |
//! | `watch` | has another process answer calls that the kernel is about to refuse |
#![allow(unsafe_code)]

mod clock_calls;
mod other_ids;
mod watch;

pub use clock_calls::trace_clock_calls;
pub use other_ids::refuse_other_ids;
pub use watch::{Question, WatchedCall, chown_unwatched, syncfs_unwatched, unshare_users, watch};

use nix::errno::Errno;

/// `AUDIT_ARCH_X86_64` of `linux/audit.h`: a 64-bit, little-endian ELF machine of number 62.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_0000 | 62;
/// `AUDIT_ARCH_AARCH64` of `linux/audit.h`: the same of number 183.
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_0000 | 183;

// Offsets in `struct seccomp_data` of `linux/seccomp.h`: a number, an architecture, an address of
// 64 bits, six arguments of 64 bits.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;

/// Returns the beginning of a filter, after which the number of the call is loaded.
fn beginning() -> Vec<libc::sock_filter> {
    vec![
        load(ARCHITECTURE_AT),
        // Numbers of calls differ between architectures: those of another one, as of 32-bit
        // programs, are let through.
        jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0),
        end(libc::SECCOMP_RET_ALLOW),
        load(NUMBER_AT),
    ]
}

/// Loads 32 bits of the data of the call.
fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

/// Compares with `value`, and skips so many instructions if the comparison holds, or does not hold.
fn jump(comparison: u32, value: u32, if_true: u8, if_false: u8) -> libc::sock_filter {
    let code = libc::BPF_JMP | comparison | libc::BPF_K;
    instruction(code, value, if_true, if_false)
}

/// Ends the filter with this verdict.
fn end(verdict: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, verdict, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    let code = code as u16;
    libc::sock_filter { code, jt, jf, k }
}

fn install(filter: &[libc::sock_filter], flags: libc::c_ulong) -> crate::Result<i32> {
    // Without this flag, kernels before 5.16 would slow a filtered process down against attacks by
    // speculation, which are no concern of a test's (Documentation/userspace-api/spec_ctrl.rst).
    let flags = flags | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel reads the program, whose instructions live across the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const program,
        )
    };
    Errno::result(done).map(|fd| fd as i32)
}
