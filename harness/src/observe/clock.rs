//! One clock for everything that is observed in a trial.
//!
//! Wires and packet sockets stamp with CLOCK_MONOTONIC, people and capture files want the time of day. The offset between
//! the two is taken once, so that the order of what happened is the same by both, whatever is done to the host's clock.

use std::sync::OnceLock;
use std::time::Duration;

use crate::kernel::clock::{monotonic, realtime};

/// The trial's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    /// CLOCK_MONOTONIC at the start.
    start: u64,
    /// CLOCK_REALTIME less CLOCK_MONOTONIC.
    offset: i64,
}

/// The clock of this process; it starts when it is first asked for.
pub(crate) fn clock() -> &'static Clock {
    static CLOCK: OnceLock<Clock> = OnceLock::new();
    CLOCK.get_or_init(|| Clock {
        start: monotonic(),
        offset: offset(),
    })
}

impl Clock {
    /// How long after the start that was.
    pub(crate) fn since_start(&self, time: u64) -> Duration {
        Duration::from_nanos(time.saturating_sub(self.start))
    }

    /// Nanoseconds since 1970.
    pub(crate) fn time_of_day(&self, time: u64) -> u64 {
        time.saturating_add_signed(self.offset)
    }
}

/// CLOCK_REALTIME less CLOCK_MONOTONIC, now: of a few tries the one that took the shortest.
pub(crate) fn offset() -> i64 {
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
