//! The events of a run that a format turns into text.

use std::time::Duration;

use super::outbox::Outbox;
use crate::runner::conclusion::Conclusion;
use crate::runner::result::TrialResult;
use crate::sandbox::protocol::trial::Survivor;
use crate::trial::Trial;

/// A format: writes to the outbox what its readers want to know of each event of a run.
pub(crate) trait Reporter {
    /// Writes that the run begins.
    fn run_started(&mut self, out: &mut Outbox, start: &RunStart);

    /// Writes that a trial begins.
    fn trial_started(&mut self, _out: &mut Outbox, _trial: &Trial) {}

    /// Writes that a trial has been running for long.
    fn trial_is_slow(&mut self, _out: &mut Outbox, _trial: &Trial, _elapsed: Duration) {}

    /// Writes the result of a trial.
    fn trial_finished(&mut self, out: &mut Outbox, finished: &FinishedTrial<'_>);

    /// Writes the result of the run.
    fn run_finished(&mut self, _out: &mut Outbox, _conclusion: &Conclusion, _elapsed: Duration) {}
}

/// Everything that is known when a run begins.
pub(crate) struct RunStart {
    /// Number of trials that run or are shown as ignored.
    pub(crate) trials: usize,
    /// Sentence on the isolation that trials get; empty if none is to run.
    pub(crate) isolation: String,
    /// Remarks on what this system cannot do.
    pub(crate) notes: Vec<String>,
    /// Settings of the host that trials cannot change. Readers need them where a trial has failed.
    pub(crate) host: Option<String>,
    pub(crate) run_seed: u64,
    pub(crate) shuffle_seed: Option<u64>,
    /// One trial runs at a time, so a trial can be named when it starts.
    pub(crate) serial: bool,
}

/// A trial that is over, and everything that is known about it.
pub(crate) struct FinishedTrial<'a> {
    pub(crate) trial: &'a Trial,
    pub(crate) result: TrialResult,
    pub(crate) duration: Duration,
    pub(crate) seed: u64,
    /// Seed of the run from which the trial's own was derived, and is again with the same one.
    pub(crate) run_seed: u64,
    /// Seeds of runs in which the trial failed, if it ran with several: the first failure first.
    pub(crate) failed_seeds: Vec<u64>,
    /// Report on the search for a smaller schedule of faults, in lines.
    pub(crate) shrunk: Option<String>,
    /// Captured output of all processes of the trial.
    pub(crate) output: String,
    /// Processes that outlived the test's process.
    pub(crate) survivors: Vec<Survivor>,
    /// State of the trial's processes when its time was over.
    pub(crate) description: Option<String>,
    /// Remarks of the test, for beside the result.
    pub(crate) notes: Vec<String>,
    /// Sentence on the machine if it was starved, for where the failure is described: beside the
    /// verdict it would stand in the way of whoever looks for `FAILED` at the end of a line.
    pub(crate) starved: Option<String>,
    /// The output was captured, and has not been seen by anybody yet.
    pub(crate) is_captured: bool,
}

impl<'a> FinishedTrial<'a> {
    /// Makes a trial whose result is known without running it.
    pub(crate) fn not_run(trial: &'a Trial, result: TrialResult, run_seed: u64) -> Self {
        Self {
            trial,
            result,
            duration: Duration::ZERO,
            seed: 0,
            run_seed,
            failed_seeds: Vec::new(),
            shrunk: None,
            output: String::new(),
            survivors: Vec::new(),
            description: None,
            notes: Vec::new(),
            starved: None,
            is_captured: true,
        }
    }

    /// Returns the remarks of the test, and that on the machine.
    pub(crate) fn all_notes(&self) -> Vec<&str> {
        let notes = self.notes.iter().chain(&self.starved);
        notes.map(String::as_str).collect()
    }

    /// Returns the processes that outlived the test's process, as in `7 (nginx), 9 (sleep)`.
    pub(crate) fn survivors(&self) -> Option<String> {
        let list: Vec<String> = self
            .survivors
            .iter()
            .map(|survivor| format!("{} ({})", survivor.pid, survivor.name))
            .collect();
        (!list.is_empty()).then(|| list.join(", "))
    }
}
