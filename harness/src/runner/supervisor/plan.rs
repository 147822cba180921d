//! Decisions that are made before the first trial of a run starts.

use std::time::Duration;

use super::copies::Rounds;
use crate::runner::result::TrialResult;
use crate::trial::Trial;

/// The way in which a run is to go.
pub(crate) struct RunPlan {
    /// Number of trials that run at a time.
    pub(crate) threads: usize,
    /// Time limit of trials that set none.
    pub(crate) timeout: Duration,
    /// Seed from which the trials' seeds are derived.
    pub(crate) run_seed: u64,
    /// The output of trials is captured. Otherwise the output goes straight through.
    pub(crate) capture: bool,
    /// The first failure ends the run.
    pub(crate) fail_fast: bool,
    /// A trial that fails with a schedule of faults is run again with ever smaller ones.
    pub(crate) shrink: bool,
    /// Number of runs of each trial, by the trial's index; each trial runs once if there is none.
    pub(crate) rounds: Option<Vec<Rounds>>,
    /// Results that are known without running the trial, by the trial's index.
    pub(crate) known: Vec<Option<TrialResult>>,
}

impl RunPlan {
    /// Returns the plan with the trials that it is for.
    pub(crate) fn for_trials<'a>(&'a self, trials: &'a [Option<Trial>]) -> PlannedTrials<'a> {
        PlannedTrials { trials, plan: self }
    }
}

/// The trials of a run, and how they are run.
pub(crate) struct PlannedTrials<'a> {
    pub(crate) trials: &'a [Option<Trial>],
    pub(crate) plan: &'a RunPlan,
}
