//! Nothing but failures, for a trial that runs under another harness, which prints the rest.

use std::time::Duration;

use super::describe::describe;
use super::outbox::Outbox;
use super::reporter::{FinishedTrial, Reporter, RunStart};
use crate::runner::result::TrialResult;
use crate::sandbox::inherited::sentence_on_host;
use crate::trial::Trial;

/// The format `failures`.
#[derive(Default)]
pub(crate) struct Failures {
    host: Option<String>,
}

impl Reporter for Failures {
    fn run_started(&mut self, out: &mut Outbox, start: &RunStart) {
        self.host = start.host.clone();
        for note in &start.notes {
            out.push(&format!("note: {note}\n"));
        }
    }

    fn trial_is_slow(&mut self, _: &mut Outbox, trial: &Trial, elapsed: Duration) {
        eprintln!(
            "test {} has been running for over {} seconds",
            trial.label(),
            elapsed.as_secs()
        );
    }

    fn trial_finished(&mut self, out: &mut Outbox, finished: &FinishedTrial<'_>) {
        match &finished.result {
            TrialResult::Passed => {
                for note in &finished.notes {
                    out.push(&format!("note: {note}\n"));
                }
                if let Some(survivors) = finished.survivors() {
                    out.push(&format!("left running, and killed: {survivors}\n"));
                }
            }
            TrialResult::Ignored(reason) => {
                eprintln!("test {} ... ignored, {reason}", finished.trial.label())
            }
            TrialResult::Failed(failure) => {
                out.push(&describe(finished, failure));
                if let Some(host) = &self.host {
                    out.push(&format!("note: {}\n", sentence_on_host(host)));
                }
            }
        }
    }
}
