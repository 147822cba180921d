//! A filter that shows a tracer the calls which ask for the time of day.

use super::{ARGUMENTS_AT, beginning, end, install, jump, load};

/// Stops the caller, and whatever it starts, at each call that asks for the time of day, for the
/// process that traces it ([`ClockTracer`](crate::process::clock::ClockTracer)).
///
/// Without a tracer such calls fail with `ENOSYS` (`seccomp(2)`, `SECCOMP_RET_TRACE`).
///
/// # Errors
/// The kernel has no filters, or the caller lacks `CAP_SYS_ADMIN` in its user namespace.
#[cfg(target_arch = "x86_64")]
pub fn trace_clock_calls() -> crate::Result<()> {
    use crate::process::clock::stub::OURS;

    // Our code in the program marks its calls, and gets the time of the machine.
    let block = [
        load(ARGUMENTS_AT + 8 * 5),
        jump(libc::BPF_JEQ, OURS, 0, 1),
        end(libc::SECCOMP_RET_ALLOW),
        end(libc::SECCOMP_RET_TRACE),
    ];
    // A clock is a number of 32 bits, in an argument of 64.
    let of_a_clock = [
        load(ARGUMENTS_AT),
        jump(libc::BPF_JEQ, libc::CLOCK_REALTIME as u32, 2, 0),
        jump(libc::BPF_JEQ, libc::CLOCK_REALTIME_COARSE as u32, 1, 0),
        end(libc::SECCOMP_RET_ALLOW),
    ];
    let mut filter = beginning();
    for number in [libc::SYS_gettimeofday, libc::SYS_time] {
        filter.push(jump(libc::BPF_JEQ, number as u32, 0, block.len() as u8));
        filter.extend_from_slice(&block);
    }
    let length = of_a_clock.len() + block.len();
    let number = libc::SYS_clock_gettime as u32;
    filter.push(jump(libc::BPF_JEQ, number, 0, length as u8));
    filter.extend_from_slice(&of_a_clock);
    filter.extend_from_slice(&block);
    filter.push(end(libc::SECCOMP_RET_ALLOW));
    install(&filter, 0).map(drop)
}

/// Refuses: there is a tracer for x86-64 only.
///
/// # Errors
/// `EOPNOTSUPP`, always.
#[cfg(not(target_arch = "x86_64"))]
pub fn trace_clock_calls() -> crate::Result<()> {
    Err(nix::errno::Errno::EOPNOTSUPP)
}
