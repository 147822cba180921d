//! libtest's JSON lines, for editors and other programs.
//!
//! The fields are those of libtest (`library/test/src/formatters/json.rs`), and a few more.

use std::time::Duration;

use snowglobe_text::{Tree, TreeContent};

use super::json_line::JsonLine;
use super::outbox::Outbox;
use super::reporter::{FinishedTrial, Reporter, RunStart};
use crate::runner::conclusion::Conclusion;
use crate::runner::result::TrialResult;
use crate::trial::Trial;

/// The format `json`.
#[derive(Default)]
pub(crate) struct Json {
    run_seed: u64,
}

fn line(out: &mut Outbox, line: JsonLine) {
    out.push(&String::from(line));
}

impl Reporter for Json {
    fn run_started(&mut self, out: &mut Outbox, start: &RunStart) {
        self.run_seed = start.run_seed;
        let mut event = JsonLine::new("suite", "started")
            .with("test_count", start.trials)
            .with("isolation", start.isolation.as_str());
        if let Some(seed) = start.shuffle_seed {
            event.set("shuffle_seed", seed);
        }
        line(out, event);
    }

    fn trial_started(&mut self, out: &mut Outbox, trial: &Trial) {
        line(
            out,
            JsonLine::new("test", "started").with("name", trial.name()),
        );
    }

    fn trial_is_slow(&mut self, out: &mut Outbox, trial: &Trial, _: Duration) {
        line(
            out,
            JsonLine::new("test", "timeout").with("name", trial.name()),
        );
    }

    fn trial_finished(&mut self, out: &mut Outbox, finished: &FinishedTrial<'_>) {
        let mut event = JsonLine::new("test", "ok").with("name", finished.trial.name());
        match &finished.result {
            TrialResult::Passed => {}
            TrialResult::Ignored(reason) => {
                event.set("event", "ignored");
                if !reason.is_empty() {
                    event.set("message", reason.as_str());
                }
            }
            TrialResult::Failed(failure) => {
                event.set("event", "failed");
                event.set("message", failure.whole_reason());
                if !failure.location.is_empty() {
                    event.set("location", failure.location.as_str());
                }
                if failure.is_inconclusive {
                    event.set("inconclusive", true);
                }
                event.set("seed", finished.seed);
                if let Some(shrunk) = &finished.shrunk {
                    event.set("shrunk", shrunk.as_str());
                }
                event.set("run_seed", finished.run_seed);
                if !finished.failed_seeds.is_empty() {
                    event.set("failed_seeds", finished.failed_seeds.clone());
                }
            }
        }
        if !matches!(finished.result, TrialResult::Ignored(_)) {
            event.set("exec_time", finished.duration.as_secs_f64());
        }
        let mut output = finished.output.clone();
        if let (TrialResult::Failed(_), Some(described)) = (&finished.result, &finished.description)
        {
            output.push_str(&format!("what hangs:\n{described}"));
        }
        if !output.is_empty() {
            event.set("stdout", output);
        }
        let notes = finished.all_notes();
        if !notes.is_empty() {
            event.set("notes", notes);
        }
        if !finished.survivors.is_empty() {
            let survivors = finished.survivors.iter();
            let survivors = survivors.map(|it| {
                let table = JsonLine::empty().with("pid", it.pid);
                table.with("name", it.name.as_str()).into_tree()
            });
            let survivors: Vec<Tree> = survivors.collect();
            event.set("survivors", TreeContent::List(survivors));
        }
        line(out, event);
    }

    fn run_finished(&mut self, out: &mut Outbox, conclusion: &Conclusion, elapsed: Duration) {
        // libtest's readers know these two events alone.
        let event = if conclusion.has_failed() {
            "failed"
        } else {
            "ok"
        };
        line(
            out,
            JsonLine::new("suite", event)
                .with("passed", conclusion.num_passed)
                .with("failed", conclusion.num_failed)
                .with("inconclusive", conclusion.num_inconclusive)
                .with("ignored", conclusion.num_ignored)
                .with("measured", conclusion.num_measured)
                .with("filtered_out", conclusion.num_filtered_out)
                .with("exec_time", elapsed.as_secs_f64())
                .with("seed", self.run_seed),
        );
    }
}
