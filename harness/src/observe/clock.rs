//! One clock for everything that is observed in a trial.
//!
//! Wires and packet sockets stamp with CLOCK_MONOTONIC, people and capture files want the time of day. The offset between
//! the two is taken once, so that the order of what happened is the same by both, whatever is done to the host's clock. (It is
//! constant, but when somebody sets the time of day: both are steered alike.)

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::kernel::clock::{monotonic, realtime};

/// The trial's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    /// CLOCK_MONOTONIC at the start.
    start: u64,
    /// CLOCK_REALTIME less CLOCK_MONOTONIC, at the start.
    offset: i64,
    /// The same as far as is known by now.
    current: AtomicI64,
}

/// When the trial began, by CLOCK_MONOTONIC.
static START: AtomicU64 = AtomicU64::new(0);

/// The trial begins now.
pub(crate) fn start() {
    START.store(monotonic(), Ordering::Relaxed);
}

/// The trial's clock; where there is no trial it starts when it is first asked for.
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

impl Clock {
    /// The start of the trial, in nanoseconds of CLOCK_MONOTONIC.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// How long after the start that was.
    pub(crate) fn since_start(&self, time: u64) -> Duration {
        Duration::from_nanos(time.saturating_sub(self.start))
    }

    /// Nanoseconds since 1970.
    pub(crate) fn time_of_day(&self, time: u64) -> u64 {
        time.saturating_add_signed(self.offset)
    }

    /// CLOCK_REALTIME less CLOCK_MONOTONIC, now. It is the same as before unless the time of day was set: what was measured again would
    /// be another by microseconds, by which packets would change places.
    pub(crate) fn offset(&self) -> i64 {
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

/// CLOCK_REALTIME less CLOCK_MONOTONIC, now: of a few tries the one that took the shortest.
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
