//! Whether a machine had processors enough while a trial ran.
//!
//! The kernel counts the time in which a thread that could run had to wait for a processor
//! (`Documentation/accounting/psi.rst`). Where that is most of the time of a trial, the times that
//! the trial has seen are those of the machine and not of the program under test.

use std::fmt;
use std::time::Duration;

/// Share of a trial's time above which the machine was starved, in per cent.
const STARVED: u128 = 66;

/// Shortest time of waiting that counts: a short trial is held up by the start of the next one.
const SHORTEST: Duration = Duration::from_millis(250);

/// A machine on which some thread waited for a processor most of the time.
///
/// ```
/// use snowglobe_model::starved::Starved;
/// use std::time::Duration;
///
/// let seconds = Duration::from_secs;
/// let starved = Starved::judge(seconds(9), seconds(10)).unwrap();
/// let said = "the machine was starved: for 90 % of 10.0s some thread had to wait for a processor";
/// assert_eq!(starved.to_string(), said);
/// assert_eq!(Starved::judge(seconds(5), seconds(10)), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starved {
    percent: u128,
    elapsed: Duration,
}

impl Starved {
    /// Judges a time of which some thread has waited for this part.
    pub fn judge(waited: Duration, elapsed: Duration) -> Option<Self> {
        let percent = waited.as_micros() * 100 / elapsed.as_micros().max(1);
        (percent > STARVED && waited >= SHORTEST).then_some(Self {
            // The kernel adds up what it has counted now and then.
            percent: percent.min(100),
            elapsed,
        })
    }
}

impl fmt::Display for Starved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { percent, elapsed } = self;
        let elapsed = elapsed.as_secs_f64();
        write!(
            f,
            "the machine was starved: for {percent} % of {elapsed:.1}s some thread had to wait for a processor"
        )
    }
}

/// Returns the time for which some thread has waited since the machine was started, from the text
/// of `/proc/pressure/cpu`.
pub fn waited(pressure: &str) -> Option<Duration> {
    let some = pressure
        .lines()
        .find_map(|line| line.strip_prefix("some "))?;
    let total = some
        .split(' ')
        .find_map(|field| field.strip_prefix("total="))?;
    total.trim().parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_the_kernel_is_read() {
        let text = "some avg10=16.82 avg60=7.46 avg300=2.56 total=19423880003\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(waited(text), Some(Duration::from_micros(19_423_880_003)));
        assert_eq!(waited(""), None);
        assert_eq!(waited("some total=x"), None);
    }

    #[test]
    fn short_waits_do_not_count() {
        let ms = Duration::from_millis;
        assert_eq!(Starved::judge(ms(90), ms(100)), None);
        assert!(Starved::judge(ms(290), ms(300)).is_some());
        assert!(Starved::judge(ms(400), ms(300)).is_some());
        assert_eq!(Starved::judge(ms(0), ms(0)), None);
    }
}
