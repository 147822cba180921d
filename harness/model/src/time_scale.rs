//! The factor by which waits and time limits are stretched on a slow machine.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A factor of 1 or more, as in `SNOWGLOBE_TIME_SCALE=2.5`.
///
/// ```
/// use snowglobe_model::time_scale::TimeScale;
/// use std::time::Duration;
///
/// let scale: TimeScale = "2.5".parse().unwrap();
/// assert_eq!(scale.stretch(Duration::from_secs(10)), Duration::from_secs(25));
/// assert!("0.5".parse::<TimeScale>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeScale(f64);

impl TimeScale {
    /// The scale of a machine on which waits last as long as they say.
    pub const NONE: Self = Self(1.0);

    /// Largest factor: a minute becomes a week.
    const MOST: f64 = 10_000.0;

    /// Returns the time by which a wait of this length ends.
    pub fn stretch(self, time: Duration) -> Duration {
        if self == Self::NONE {
            return time;
        }
        Duration::try_from_secs_f64(time.as_secs_f64() * self.0).unwrap_or(Duration::MAX)
    }
}

impl fmt::Display for TimeScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TimeScale {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<f64>() {
            Ok(factor) if (1.0..=Self::MOST).contains(&factor) => Ok(Self(factor)),
            Ok(factor) if factor < 1.0 => {
                Err("waits can only be stretched: give a number from 1 on")
            }
            Ok(_) => Err("give a number from 1 to 10000"),
            Err(_) => Err("give a number from 1 on, as in 2 or 2.5"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_factors_are_refused() {
        for text in ["0", "-1", "0.99", "NaN", "inf", "10001", "", "two"] {
            assert!(text.parse::<TimeScale>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_time_is_too_long() {
        let scale: TimeScale = "10000".parse().unwrap();
        assert_eq!(scale.stretch(Duration::MAX), Duration::MAX);
        assert_eq!(TimeScale::NONE.stretch(Duration::MAX), Duration::MAX);
    }
}
