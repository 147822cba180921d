//! The kernel's clocks, in nanoseconds.
//!
//! Packets are stamped by the kernel and by wires, and their times are compared, so both must read
//! the same clocks in the same unit. std's `Instant` does not tell its number.

use nix::time::{ClockId, clock_gettime};

/// Returns the time of `CLOCK_MONOTONIC`, by which wires schedule packets.
pub fn monotonic() -> u64 {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

/// Returns the time of `CLOCK_REALTIME` since 1970, by which the kernel stamps packets.
pub fn realtime() -> u64 {
    nanoseconds(ClockId::CLOCK_REALTIME)
}

fn nanoseconds(id: ClockId) -> u64 {
    // Both clocks exist on every Linux, so a failure has no meaning (clock_gettime(2)).
    clock_gettime(id).map_or(0, |time| {
        // 64 bits of nanoseconds last until the year 2554.
        let seconds = time.tv_sec().cast_unsigned();
        seconds * 1_000_000_000 + time.tv_nsec().cast_unsigned()
    })
}
