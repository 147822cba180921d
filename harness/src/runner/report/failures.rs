//! Nothing but what went wrong: for a trial that runs under another harness, which prints the rest.

use std::time::Duration;

use super::failure::describe;
use super::outbox::Outbox;
use super::printer::{Done, Opening, Show};
use crate::runner::conclusion::Conclusion;
use crate::runner::result::Verdict;
use crate::trial::Trial;

#[derive(Default)]
pub(crate) struct OnlyFailures {
    run_seed: u64,
}

impl Show for OnlyFailures {
    fn opening(&mut self, out: &mut Outbox, opening: &Opening) {
        self.run_seed = opening.run_seed;
        for note in &opening.notes {
            out.push(&format!("note: {note}\n"));
        }
    }

    fn started(&mut self, _: &mut Outbox, _: &Trial) {}

    fn slow(&mut self, _: &mut Outbox, trial: &Trial, elapsed: Duration) {
        eprintln!(
            "test {} has been running for over {} seconds",
            trial.label(),
            elapsed.as_secs()
        );
    }

    fn done(&mut self, out: &mut Outbox, done: &Done<'_>) {
        match &done.verdict {
            Verdict::Passed => {
                for note in &done.notes {
                    out.push(&format!("note: {note}\n"));
                }
                if let Some(survivors) = done.survivors() {
                    out.push(&format!("left running, and killed: {survivors}\n"));
                }
            }
            Verdict::Ignored(reason) => {
                eprintln!("test {} ... ignored, {reason}", done.trial.label())
            }
            Verdict::Failed(failure) => out.push(&describe(done, failure, self.run_seed)),
        }
    }

    fn closing(&mut self, _: &mut Outbox, _: &Conclusion, _: Duration) {}
}
