//! Faults of a clock: what the time of day of a node is changed to.
//!
//! Several faults may be in force at a time and end in any order. So each fault is a step from one
//! clock to the next, and the clock of a node is made anew of the steps that are left.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde_core::{Serialize, Serializer};
use snowglobe_text::{FromTree, Tree, TreeError};

use crate::duration;

/// The change of a clock, for as long as the fault lasts.
///
/// In TOML: `{ offset = "-1h" }`, `{ jump = "90s" }`, `{ drift = 500 }` or `"freeze"`. All are of
/// the time of day; the monotonic clocks are those of the machine.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    snowglobe_derive::Serialize,
    snowglobe_derive::Deserialize,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClockFault {
    /// The clock is so much ahead of the machine's, or behind it, whatever other faults there are.
    Offset(TimeShift),
    /// The clock jumps so far, from what it shows at the time.
    Jump(TimeShift),
    /// The clock gains so many microseconds in each second of the machine's, or loses them. The
    /// clock goes on from the time that it shows.
    Drift(i32),
    /// The clock stands still at what it shows.
    Freeze,
    /// The monotonic clocks gain so many microseconds in each second, or lose them. Refused, by
    /// whatever names it: sleeps and time-outs are timers of the kernel, which go by the machine's
    /// monotonic clock, and programs whose clock and timers disagree would be on no such machine.
    MonotonicDrift(i32),
}

impl ClockFault {
    /// Most that a clock can drift, in parts per million: twice as fast, or no progress.
    pub const MOST_DRIFT: i32 = 1_000_000;

    /// Checks the value, and says what is wrong with it.
    ///
    /// # Errors
    /// The drift is larger than [`MOST_DRIFT`](Self::MOST_DRIFT), or one of monotonic clocks.
    pub fn validate(self) -> Result<(), ClockFaultError> {
        match self {
            Self::MonotonicDrift(_) => Err(ClockFaultError::MonotonicDrift),
            Self::Drift(drift) if drift.unsigned_abs() > Self::MOST_DRIFT.unsigned_abs() => {
                Err(ClockFaultError::Drift(drift))
            }
            Self::Offset(_) | Self::Jump(_) | Self::Drift(_) | Self::Freeze => Ok(()),
        }
    }
}

/// The reason why no clock can have a [`ClockFault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockFaultError {
    /// The monotonic clocks are to drift.
    MonotonicDrift,
    /// The drift, in parts per million, is larger than [`ClockFault::MOST_DRIFT`].
    Drift(i32),
}

impl fmt::Display for ClockFaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MonotonicDrift => f.write_str(
                "monotonic clocks that drift, and the timers of the kernel (sleeps, time-outs) cannot drift with them; \
                 the time of day can (`ClockFault::Drift`), and a machine that is too slow for others is one under `Fault::slow`",
            ),
            Self::Drift(drift) => write!(
                f,
                "a drift of {drift} parts per million, and {} are the most",
                ClockFault::MOST_DRIFT
            ),
        }
    }
}

impl ClockFaultError {
    /// Returns the field of a fault that is wrong.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::MonotonicDrift => "change.monotonic-drift",
            Self::Drift(_) => "change.drift",
        }
    }
}

impl Error for ClockFaultError {}

/// Tells the fault without its subject: `off by -1h`.
impl fmt::Display for ClockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(shift) => write!(f, "off by {shift}"),
            Self::Jump(shift) => write!(f, "jumps by {shift}"),
            Self::Drift(drift) => write!(f, "drifts by {drift:+} ppm"),
            Self::Freeze => f.write_str("stands still"),
            Self::MonotonicDrift(drift) => {
                write!(f, "has monotonic clocks that drift by {drift:+} ppm")
            }
        }
    }
}

/// A time forward or backward, to the nanosecond and up to 292 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeShift(i64);

impl TimeShift {
    /// Returns the shift forward by this time, or by the largest there is.
    pub fn ahead(time: Duration) -> Self {
        Self(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Returns the shift backward by this time, or by the largest there is.
    pub fn behind(time: Duration) -> Self {
        Self(-Self::ahead(time).0)
    }

    /// Reads `+90s`, `-1h` or `250ms`; returns `None` where the text is no such time, or one of
    /// more than 292 years.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, make): (_, fn(Duration) -> Self) = match text.strip_prefix('-') {
            Some(time) => (time, Self::behind),
            None => (text.strip_prefix('+').unwrap_or(text), Self::ahead),
        };
        let time = duration::parse(time)?;
        // The largest shift in the place of a larger one would be another one than was asked for.
        i64::try_from(time.as_nanos()).ok()?;
        Some(make(time))
    }
}

/// Tells the shift as [`TimeShift::parse`] reads it.
impl fmt::Display for TimeShift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        write!(f, "{sign}{:?}", Duration::from_nanos(self.0.unsigned_abs()))
    }
}

impl Serialize for TimeShift {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl FromTree for TimeShift {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        let text = tree.text("a string")?;
        let why =
            format_args!("`{text}` is no time of at most 292 years, such as `-1h` or `+250ms`");
        Self::parse(text).ok_or_else(|| tree.error(&why))
    }
}

snowglobe_text::deserialize_by_tree!(TimeShift);

/// The clock of a node as a function of the machine's: `shown + (time - reference) * rate / 2^32`,
/// in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockRule {
    /// A time of the machine.
    pub reference: i64,
    /// The time that the clock shows then.
    pub shown: i64,
    /// The speed of the clock, times 2^32.
    pub rate: i64,
}

/// The rate of a clock that is right.
const RIGHT_RATE: i64 = 1 << 32;

impl ClockRule {
    /// The clock of the machine.
    pub const TRUE: Self = Self {
        reference: 0,
        shown: 0,
        rate: RIGHT_RATE,
    };

    /// Returns the clock under these faults, each with the time of the machine at which it began,
    /// in the order in which they began.
    pub fn under(faults: impl IntoIterator<Item = (i64, ClockFault)>) -> Self {
        let faults = faults.into_iter();
        faults.fold(Self::TRUE, |clock, (time, fault)| clock.then(fault, time))
    }

    fn then(self, fault: ClockFault, time: i64) -> Self {
        let shown = self.at(time);
        let (shown, rate) = match fault {
            ClockFault::Offset(shift) => (time.saturating_add(shift.0), RIGHT_RATE),
            ClockFault::Jump(shift) => (shown.saturating_add(shift.0), self.rate),
            ClockFault::Drift(drift) => {
                let speed = i128::from(1_000_000 + i64::from(drift));
                let rate = i128::from(self.rate) * speed / 1_000_000;
                (shown, i64::try_from(rate).unwrap_or(i64::MAX))
            }
            ClockFault::Freeze => (shown, 0),
            // Of the time of day nothing was said.
            ClockFault::MonotonicDrift(_) => (shown, self.rate),
        };
        Self {
            reference: time,
            shown: shown.max(0),
            rate,
        }
    }

    fn at(self, time: i64) -> i64 {
        let since = i128::from(time) - i128::from(self.reference);
        let shown = i128::from(self.shown) + ((since * i128::from(self.rate)) >> 32);
        shown.clamp(0, i128::from(i64::MAX)) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn shift(text: &str) -> TimeShift {
        TimeShift::parse(text).unwrap()
    }

    #[test]
    fn shifts_survive_being_written_down() {
        for (text, nanoseconds) in [
            ("-1h", -3600 * SECOND),
            ("+250ms", SECOND / 4),
            ("1.5s", SECOND * 3 / 2),
        ] {
            let read = shift(text);
            assert_eq!(read.0, nanoseconds, "{text}");
            assert_eq!(TimeShift::parse(&read.to_string()), Some(read));
        }
        for wrong in ["", "-", "--1s", "soon", "1 day", "-9999999999999s"] {
            assert_eq!(TimeShift::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn faults_are_laid_over_each_other() {
        let (jump, drift) = (ClockFault::Jump(shift("10s")), ClockFault::Drift(500_000));
        let clock = ClockRule::under([(100 * SECOND, jump), (200 * SECOND, drift)]);
        assert_eq!(clock.at(200 * SECOND), 210 * SECOND);
        assert_eq!(clock.at(202 * SECOND), 213 * SECOND);
        let frozen = ClockRule::under([(100 * SECOND, jump), (200 * SECOND, ClockFault::Freeze)]);
        assert_eq!(frozen.at(999 * SECOND), 210 * SECOND);
        let offset = ClockFault::Offset(shift("-1s"));
        let right = ClockRule::under([(5 * SECOND, ClockFault::Freeze), (9 * SECOND, offset)]);
        assert_eq!(right.at(11 * SECOND), 10 * SECOND);
        assert_eq!(ClockRule::under([]).at(7), 7);
    }

    #[test]
    fn no_clock_shows_a_time_before_1970() {
        let clock = ClockRule::under([(SECOND, ClockFault::Jump(shift("-1h")))]);
        assert_eq!(clock.at(SECOND), 0);
    }

    #[test]
    fn a_drift_beyond_the_limit_is_refused() {
        assert!(ClockFault::Drift(-1_000_001).validate().is_err());
        assert!(ClockFault::Drift(1_000_000).validate().is_ok());
        let refused = ClockFault::MonotonicDrift(50)
            .validate()
            .unwrap_err()
            .to_string();
        assert!(refused.contains("timers of the kernel"), "{refused}");
    }
}
