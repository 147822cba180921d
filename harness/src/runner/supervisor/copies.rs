//! A stress test: copies of each trial run side by side, until one of them fails.
//!
//! A race that one run in a thousand loses shows itself in a thousand runs, and sooner beside
//! others that keep the machine busy. The copies of a trial are one trial to the report, with the
//! result of the first copy that failed, and the rate of failure.

use std::time::{Duration, Instant};

use crate::model::failure_rate::FailureRate;
use crate::runner::args::Stress;
use crate::runner::report::FinishedTrial;
use crate::runner::result::TrialResult;

/// The copies of all trials of a run.
pub(crate) struct Copies<'a> {
    length: Stress,
    begin: Instant,
    trials: Vec<CopiesOfTrial<'a>>,
}

/// The copies of one trial.
#[derive(Default)]
struct CopiesOfTrial<'a> {
    begun: u64,
    running: u64,
    rate: FailureRate,
    /// The first copy that failed, or else the last one that passed.
    shown: Option<FinishedTrial<'a>>,
    /// Time that all copies took together, one beside the other.
    taken: Duration,
}

impl<'a> Copies<'a> {
    /// Makes the book of so many trials, of which none has begun.
    pub(crate) fn new(length: Stress, trials: usize) -> Self {
        Self {
            length,
            begin: Instant::now(),
            trials: (0..trials).map(|_| CopiesOfTrial::default()).collect(),
        }
    }

    /// Returns whether one more copy of a trial is to begin.
    pub(crate) fn wants_more(&self, index: usize) -> bool {
        let copies = &self.trials[index];
        copies.rate.failures == 0
            && match self.length {
                Stress::Runs(runs) => copies.begun < runs,
                // Each trial runs once at least, however long the queue is.
                Stress::Time(time) => copies.begun == 0 || self.begin.elapsed() < time,
            }
    }

    /// Notes that a copy begins, and returns its number.
    pub(crate) fn begin(&mut self, index: usize) -> u64 {
        let copies = &mut self.trials[index];
        copies.begun += 1;
        copies.running += 1;
        copies.begun - 1
    }

    /// Returns a share of the process numbers for the copy that has just begun: no other copy that
    /// runs has it.
    pub(crate) fn share(&self) -> u32 {
        let begun: u64 = self.trials.iter().map(|copies| copies.begun).sum();
        begun as u32
    }

    /// Notes that the copy which began last has got no sandbox, and so has not begun.
    pub(crate) fn take_back(&mut self, index: usize) {
        let copies = &mut self.trials[index];
        copies.begun -= 1;
        copies.running -= 1;
    }

    /// Notes the end of a copy. Returns what is to be shown of the trial, if that was the last.
    pub(crate) fn ended(
        &mut self,
        index: usize,
        finished: FinishedTrial<'a>,
    ) -> Option<FinishedTrial<'a>> {
        let elapsed = self.begin.elapsed();
        let copies = &mut self.trials[index];
        copies.running -= 1;
        copies.taken = elapsed;
        copies.rate.runs += 1;
        let is_first_failure = match &finished.result {
            TrialResult::Failed(_) => {
                copies.rate.failures += 1;
                copies.rate.failures == 1
            }
            TrialResult::Passed | TrialResult::Ignored(_) => copies.rate.failures == 0,
        };
        if is_first_failure {
            copies.shown = Some(finished);
        }
        if copies.running > 0 || self.wants_more(index) {
            return None;
        }
        self.trials[index].summary()
    }

    /// Returns what is to be shown of trials whose copies were cut short.
    pub(crate) fn cut_short(&mut self) -> Vec<FinishedTrial<'a>> {
        let trials = self.trials.iter_mut();
        trials.filter_map(CopiesOfTrial::summary).collect()
    }
}

impl<'a> CopiesOfTrial<'a> {
    /// Takes out what is to be shown, with the rate.
    fn summary(&mut self) -> Option<FinishedTrial<'a>> {
        let mut shown = self.shown.take()?;
        shown.notes.push(self.rate.to_string());
        if self.rate.failures == 0 {
            shown.duration = self.taken;
        }
        Some(shown)
    }
}
