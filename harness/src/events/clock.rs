//! One clock for all that is observed in a trial.
//!
//! Wires and packet sockets stamp frames with CLOCK_MONOTONIC; people and capture files want the
//! time of day. The offset between the two is measured once, so that both put events in the same
//! order. NTP steers both clocks alike (adjtimex(2)), so that the offset stays the same until
//! somebody sets the time of day.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::kernel::clock::{monotonic, realtime};

/// The clock of a trial.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Start of the trial, in nanoseconds of CLOCK_MONOTONIC.
    start: u64,
    /// CLOCK_REALTIME less CLOCK_MONOTONIC at the start, in nanoseconds.
    offset: i64,
    /// CLOCK_REALTIME less CLOCK_MONOTONIC when it was measured last, in nanoseconds.
    current: AtomicI64,
}

/// Start of the trial, in nanoseconds of CLOCK_MONOTONIC; 0 before there is one.
static START: AtomicU64 = AtomicU64::new(0);

/// Makes this moment the start of the trial.
pub(crate) fn start() {
    START.store(monotonic(), Ordering::Relaxed);
}

/// Returns the clock of the trial. Outside of a trial, the clock starts at the first call.
pub(crate) fn clock() -> &'static Clock {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    CLOCK.get_or_init(|| {
        let offset = offset();
        let start = match START.load(Ordering::Relaxed) {
            0 => monotonic(),
            start => start,
        };
        Clock {
            start,
            offset,
            current: AtomicI64::new(offset),
        }
    })
}

/// Returns the time since the start of the trial.
pub(crate) fn since_start() -> Duration {
    clock().since_start(monotonic())
}

impl Clock {
    /// Returns the start of the trial, in nanoseconds of CLOCK_MONOTONIC.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// Returns the time from the start of the trial to `time`, nanoseconds of CLOCK_MONOTONIC.
    pub(crate) fn since_start(&self, time: u64) -> Duration {
        Duration::from_nanos(time.saturating_sub(self.start))
    }

    /// Turns `time`, nanoseconds of CLOCK_MONOTONIC, into nanoseconds since 1970.
    pub(crate) fn time_of_day(&self, time: u64) -> u64 {
        time.saturating_add_signed(self.offset)
    }

    /// Returns CLOCK_REALTIME less CLOCK_MONOTONIC now, in nanoseconds.
    ///
    /// The answer changes only when somebody has set the time of day. A new measurement would
    /// differ by microseconds each time, and packets would change places in a capture.
    pub(crate) fn offset(&self) -> i64 {
        // A smaller step is within the error of a measurement on a busy machine.
        const SET_BY: i64 = 100_000;
        let known = self.current.load(Ordering::Relaxed);
        let before = monotonic().cast_signed();
        let real = realtime().cast_signed();
        let after = monotonic().cast_signed();
        let possible = real - after - SET_BY..=real - before + SET_BY;
        if possible.contains(&known) {
            return known;
        }
        let new = offset();
        self.current.store(new, Ordering::Relaxed);
        new
    }
}

/// Measures CLOCK_REALTIME less CLOCK_MONOTONIC, in nanoseconds. Of five tries the shortest one
/// counts: a thread that loses its processor between two readings measures wrong.
fn offset() -> i64 {
    let attempt = || {
        let before = monotonic();
        let real = realtime();
        let took = monotonic() - before;
        (took, real.cast_signed() - (before + took / 2).cast_signed())
    };
    (0..5)
        .map(|_| attempt())
        .min()
        .map_or(0, |(_, offset)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_stays_what_it_was_until_the_time_of_day_is_set() {
        let offset = offset();
        let clock = |current| Clock {
            start: 0,
            offset,
            current: AtomicI64::new(current),
        };
        for nearly in [offset - 1000, offset + 1000] {
            assert_eq!(clock(nearly).offset(), nearly);
        }
        for before in [offset - 3_600_000_000_000, offset + 10_000_000_000] {
            let found = clock(before).offset();
            assert!(found.abs_diff(offset) < 1_000_000_000, "{found} {offset}");
        }
    }
}
