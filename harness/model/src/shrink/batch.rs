//! Candidates that are tried at the same time.

use super::confidence::Confidence;

/// Candidates, of which the first one that is found to fail still is taken.
///
/// ```
/// use snowglobe_model::shrink::{CandidateRuns, Confidence};
///
/// let mut batch = CandidateRuns::new(Confidence::after(1).unwrap(), 2);
/// assert_eq!(batch.begin(), Some(0));
/// assert_eq!(batch.begin(), Some(1), "candidates run side by side");
/// batch.ended(1, true);
/// assert_eq!(batch.found(), Some(1));
/// ```
#[derive(Clone, Debug)]
pub struct CandidateRuns {
    /// Question to a candidate; without one, each candidate runs as often as it may.
    confidence: Option<Confidence>,
    candidates: Vec<Runs>,
}

/// The runs of one candidate.
#[derive(Clone, Copy, Debug, Default)]
struct Runs {
    running: u32,
    failures: u32,
    passes: u32,
}

impl CandidateRuns {
    /// Makes a batch of so many candidates, the most promising first.
    pub fn new(confidence: Confidence, candidates: usize) -> Self {
        Self {
            confidence: Some(confidence),
            candidates: vec![Runs::default(); candidates],
        }
    }

    /// Makes the runs of one candidate, [`Confidence::RUNS`] of them, to count its failures.
    ///
    /// ```
    /// use snowglobe_model::shrink::{CandidateRuns, Confidence};
    ///
    /// let mut runs = CandidateRuns::of_one();
    /// while let Some(candidate) = runs.begin() {
    ///     runs.ended(candidate, true);
    /// }
    /// assert_eq!(runs.counts(0), (Confidence::RUNS, Confidence::RUNS));
    /// ```
    pub fn of_one() -> Self {
        Self {
            confidence: None,
            candidates: vec![Runs::default()],
        }
    }

    /// Returns the candidate of which a run is to begin: of those that have fewest runs, the first.
    /// A candidate that passes is then out soon, whatever the others do.
    pub fn begin(&mut self) -> Option<usize> {
        let confidence = self.confidence;
        let wanted = |it: &Runs| match confidence {
            Some(confidence) => confidence.wanted(it.failures, it.passes, it.running) > 0,
            None => it.failures + it.passes + it.running < Confidence::RUNS,
        };
        let candidates = self.candidates.iter_mut().enumerate();
        let (index, runs) = candidates
            .filter(|(_, it)| wanted(it))
            .min_by_key(|(_, it)| it.running + it.passes)?;
        runs.running += 1;
        Some(index)
    }

    /// Notes the end of a run.
    pub fn ended(&mut self, candidate: usize, has_failed: bool) {
        let runs = &mut self.candidates[candidate];
        runs.running -= 1;
        if has_failed {
            runs.failures += 1;
        } else {
            runs.passes += 1;
        }
    }

    /// Returns the first candidate that fails as often as is asked for, as far as known.
    pub fn found(&self) -> Option<usize> {
        let confidence = self.confidence?;
        self.candidates
            .iter()
            .position(|it| confidence.decide(it.failures, it.passes) == Some(true))
    }

    /// Returns the numbers of failures and of runs of a candidate.
    pub fn counts(&self, candidate: usize) -> (u32, u32) {
        let Runs {
            running: _,
            failures,
            passes,
        } = self.candidates[candidate];
        (failures, failures + passes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a batch with so many runs at a time, and returns what was found and the number of runs.
    fn run(
        mut batch: CandidateRuns,
        together: usize,
        fails: impl Fn(usize) -> bool,
    ) -> (Option<usize>, u32) {
        let (mut running, mut runs) = (Vec::new(), 0);
        loop {
            while running.len() < together
                && let Some(candidate) = batch.begin()
            {
                running.push(candidate);
                runs += 1;
            }
            if running.is_empty() {
                return (None, runs);
            }
            let candidate = running.remove(0);
            batch.ended(candidate, fails(candidate));
            if let Some(found) = batch.found() {
                return (Some(found), runs);
            }
        }
    }

    #[test]
    fn the_candidate_that_fails_is_found_with_whatever_many_runs_at_a_time() {
        let confidence = Confidence::after(10).unwrap();
        for together in [1, 2, 8, 100] {
            let (found, _) = run(CandidateRuns::new(confidence, 5), together, |it| it == 3);
            assert_eq!(found, Some(3), "{together} at a time");
        }
    }

    #[test]
    fn candidates_that_pass_cost_two_runs_each() {
        let confidence = Confidence::after(10).unwrap();
        let (found, runs) = run(CandidateRuns::new(confidence, 7), 1, |_| false);
        assert_eq!((found, runs), (None, 14));
    }
}
