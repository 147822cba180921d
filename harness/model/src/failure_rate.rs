//! The rate at which a test fails, with what so many runs say about that rate.

use std::fmt;

use snowglobe_text::counted;

/// Number of runs of a test, and of the failures among them.
///
/// ```
/// use snowglobe_model::failure_rate::FailureRate;
///
/// let rate = FailureRate { runs: 1000, failures: 0 };
/// let said = "none of 1000 runs failed: the rate is at most 0.38 % (95 % confidence)";
/// assert_eq!(rate.to_string(), said);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailureRate {
    /// Number of all runs.
    pub runs: u64,
    /// Number of runs that failed.
    pub failures: u64,
}

impl FailureRate {
    /// Returns the bounds between which the rate lies with a confidence of 95 %, as fractions.
    ///
    /// This is Wilson's score interval (E. B. Wilson, "Probable inference, the law of succession,
    /// and statistical inference", 1927). It is right for few runs and for rates near 0 and 1 too,
    /// where the usual interval of the normal distribution has no width.
    pub fn interval(self) -> (f64, f64) {
        /// Quantile of the normal distribution for 97.5 %.
        const Z: f64 = 1.959_964;
        if self.runs == 0 {
            return (0.0, 1.0);
        }
        let runs = self.runs as f64;
        let rate = self.failures as f64 / runs;
        let shrunk = 1.0 + Z * Z / runs;
        let centre = (rate + Z * Z / (2.0 * runs)) / shrunk;
        let variance = rate * (1.0 - rate) / runs + Z * Z / (4.0 * runs * runs);
        let half = Z * variance.sqrt() / shrunk;
        // Exact at the ends of the scale, where rounding would leave the bound beside the rate.
        let low = if self.failures == 0 {
            0.0
        } else {
            centre - half
        };
        let all_failed = self.failures == self.runs;
        (low, if all_failed { 1.0 } else { centre + half })
    }
}

impl fmt::Display for FailureRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, failures } = *self;
        let (low, high) = self.interval();
        let (low, high) = (percent(low), percent(high));
        let all = counted(runs, "run");
        match failures {
            0 => write!(
                f,
                "none of {all} failed: the rate is at most {high} (95 % confidence)"
            ),
            _ if failures == runs => write!(
                f,
                "all of {all} failed: the rate is at least {low} (95 % confidence)"
            ),
            _ => {
                let rate = percent(failures as f64 / runs as f64);
                write!(
                    f,
                    "{failures} of {all} failed: {rate}, between {low} and {high} (95 % confidence)"
                )
            }
        }
    }
}

/// Returns a fraction in per cent, with two digits that count.
fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    let digits = match percent {
        p if p >= 10.0 => 0,
        p if p >= 1.0 => 1,
        p if p >= 0.1 => 2,
        p if p >= 0.01 => 3,
        _ => 5,
    };
    format!("{percent:.digits$} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each bound is a rate from which the rate that was seen is as far away as the normal
    /// distribution lets 2.5 % of all experiments be.
    #[test]
    fn the_bounds_are_where_the_score_test_just_accepts() {
        for (failures, runs) in [(1, 10), (3, 117), (0, 10), (10, 10), (5000, 10_000)] {
            let (low, high) = FailureRate { runs, failures }.interval();
            let seen = failures as f64 / runs as f64;
            for bound in [low, high] {
                // At the ends of the scale a bound is the rate itself.
                let deviation = (bound * (1.0 - bound) / runs as f64).sqrt();
                let score = (seen - bound).abs() - 1.959_964 * deviation;
                assert!(score.abs() < 1e-6, "{failures} of {runs}: {bound}");
            }
            assert!(low <= seen && seen <= high && low < high);
        }
        assert_eq!(FailureRate::default().interval(), (0.0, 1.0));
    }

    #[test]
    fn a_rate_is_a_sentence() {
        let said = |failures, runs| FailureRate { runs, failures }.to_string();
        assert_eq!(
            said(3, 117),
            "3 of 117 runs failed: 2.6 %, between 0.88 % and 7.3 % (95 % confidence)"
        );
        assert_eq!(
            said(4, 4),
            "all of 4 runs failed: the rate is at least 51 % (95 % confidence)"
        );
    }
}
