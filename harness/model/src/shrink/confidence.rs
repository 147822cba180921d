//! How many runs have to fail before a failure counts as the same one.

use std::fmt;

/// A number of runs, and how many of them have to fail.
///
/// A test of a distributed system may pass once with a schedule that makes it fail nearly always.
/// So a smaller schedule counts if it makes the test fail in 9 of 10 runs. Where the test fails
/// less often with the schedule it began with, the smaller one may miss one run more than that.
///
/// ```
/// use snowglobe_model::shrink::Confidence;
///
/// assert_eq!(Confidence::after(10).unwrap().to_string(), "9 of 10");
/// assert_eq!(Confidence::after(4).unwrap().to_string(), "3 of 10");
/// assert_eq!(Confidence::after(0), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confidence {
    needed: u32,
}

impl Confidence {
    /// Largest number of runs for each candidate.
    pub const RUNS: u32 = 10;

    /// Returns what is asked of smaller schedules after so many of [`RUNS`](Self::RUNS) runs with
    /// the first one failed, or `None` if none did.
    pub fn after(failures: u32) -> Option<Self> {
        let needed = failures.min(Self::RUNS).saturating_sub(1).max(1);
        (failures > 0).then_some(Self { needed })
    }

    /// Returns whether nearly all runs of a candidate have to fail, so that a trial that fails
    /// seldom is not taken for one that fails by the candidate.
    ///
    /// ```
    /// use snowglobe_model::shrink::Confidence;
    ///
    /// assert!(Confidence::after(10).unwrap().is_strict());
    /// assert!(!Confidence::after(6).unwrap().is_strict());
    /// ```
    pub fn is_strict(self) -> bool {
        self.needed + 1 >= Self::RUNS
    }

    /// Returns whether a candidate still fails, as soon as its runs tell.
    pub fn decide(self, failures: u32, passes: u32) -> Option<bool> {
        if failures >= self.needed {
            return Some(true);
        }
        (passes > Self::RUNS - self.needed).then_some(false)
    }

    /// Returns how many more runs may be begun, of which so many are under way.
    pub(super) fn wanted(self, failures: u32, passes: u32, running: u32) -> u32 {
        match self.decide(failures, passes) {
            Some(_) => 0,
            // More runs could not change a candidate that only fails.
            None => (self.needed - failures + passes.min(Self::RUNS - self.needed))
                .min(Self::RUNS - failures - passes)
                .saturating_sub(running),
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.needed, Self::RUNS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_decided_as_soon_as_the_rest_cannot_change_it() {
        let confidence = Confidence::after(10).unwrap();
        assert_eq!(confidence.decide(8, 1), None);
        assert_eq!(confidence.decide(9, 1), Some(true));
        assert_eq!(confidence.decide(3, 2), Some(false));
        let rare = Confidence::after(1).unwrap();
        assert_eq!(rare.decide(1, 0), Some(true));
        assert_eq!(rare.decide(0, 9), None);
        assert_eq!(rare.decide(0, 10), Some(false));
    }

    #[test]
    fn every_candidate_comes_to_its_decision() {
        for original in 1..=Confidence::RUNS {
            let confidence = Confidence::after(original).unwrap();
            for pattern in 0_u32..1 << Confidence::RUNS {
                let (mut failures, mut passes) = (0, 0);
                while confidence.decide(failures, passes).is_none() {
                    assert!(confidence.wanted(failures, passes, 0) > 0);
                    if pattern >> (failures + passes) & 1 == 1 {
                        failures += 1;
                    } else {
                        passes += 1;
                    }
                }
                assert!(failures + passes <= Confidence::RUNS);
            }
        }
    }
}
