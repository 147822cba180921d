//! The kernel's clocks, in nanoseconds.

use nix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC: what wires and packet sockets stamp with.
pub fn monotonic() -> u64 {
    nanoseconds(ClockId::CLOCK_MONOTONIC)
}

/// CLOCK_REALTIME: since 1970.
pub fn realtime() -> u64 {
    nanoseconds(ClockId::CLOCK_REALTIME)
}

fn nanoseconds(id: ClockId) -> u64 {
    // Both exist on every Linux, so there is nothing to be said about a failure.
    clock_gettime(id).map_or(0, |time| {
        let seconds = time.tv_sec().cast_unsigned();
        seconds * 1_000_000_000 + time.tv_nsec().cast_unsigned()
    })
}
