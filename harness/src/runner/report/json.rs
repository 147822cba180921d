//! libtest's JSON lines, for editors and other programs.
//!
//! The fields are those of libtest (`library/test/src/formatters/json.rs`), and a few more.

use std::time::Duration;

use serde_json::{Value, json};

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

fn line(out: &mut Outbox, value: &Value) {
    out.push(&format!("{value}\n"));
}

impl Reporter for Json {
    fn run_started(&mut self, out: &mut Outbox, start: &RunStart) {
        self.run_seed = start.run_seed;
        let mut event = json!({
            "type": "suite", "event": "started", "test_count": start.trials,
            "isolation": start.isolation,
        });
        if let Some(seed) = start.shuffle_seed {
            event["shuffle_seed"] = seed.into();
        }
        line(out, &event);
    }

    fn trial_started(&mut self, out: &mut Outbox, trial: &Trial) {
        line(
            out,
            &json!({"type": "test", "event": "started", "name": trial.name()}),
        );
    }

    fn trial_is_slow(&mut self, out: &mut Outbox, trial: &Trial, _: Duration) {
        line(
            out,
            &json!({"type": "test", "event": "timeout", "name": trial.name()}),
        );
    }

    fn trial_finished(&mut self, out: &mut Outbox, finished: &FinishedTrial<'_>) {
        let mut event = json!({"type": "test", "name": finished.trial.name()});
        match &finished.result {
            TrialResult::Passed => event["event"] = "ok".into(),
            TrialResult::Ignored(reason) => {
                event["event"] = "ignored".into();
                if !reason.is_empty() {
                    event["message"] = reason.as_str().into();
                }
            }
            TrialResult::Failed(failure) => {
                event["event"] = "failed".into();
                event["message"] = failure.whole_reason().into();
                if !failure.location.is_empty() {
                    event["location"] = failure.location.as_str().into();
                }
                if failure.is_inconclusive {
                    event["inconclusive"] = true.into();
                }
                event["seed"] = finished.seed.into();
                if let Some(shrunk) = &finished.shrunk {
                    event["shrunk"] = shrunk.as_str().into();
                }
                event["run_seed"] = finished.run_seed.into();
                if !finished.failed_seeds.is_empty() {
                    event["failed_seeds"] = finished.failed_seeds.as_slice().into();
                }
            }
        }
        if !matches!(finished.result, TrialResult::Ignored(_)) {
            event["exec_time"] = finished.duration.as_secs_f64().into();
        }
        let mut output = finished.output.clone();
        if let (TrialResult::Failed(_), Some(described)) = (&finished.result, &finished.description)
        {
            output.push_str(&format!("what hangs:\n{described}"));
        }
        if !output.is_empty() {
            event["stdout"] = output.into();
        }
        let notes = finished.all_notes();
        if !notes.is_empty() {
            event["notes"] = notes.into();
        }
        if !finished.survivors.is_empty() {
            let survivors = finished
                .survivors
                .iter()
                .map(|s| json!({"pid": s.pid, "name": s.name}));
            event["survivors"] = survivors.collect();
        }
        line(out, &event);
    }

    fn run_finished(&mut self, out: &mut Outbox, conclusion: &Conclusion, elapsed: Duration) {
        let event = if conclusion.has_failed() {
            "failed"
        } else {
            "ok"
        };
        line(
            out,
            &json!({
                "type": "suite", "event": event,
                "passed": conclusion.num_passed, "failed": conclusion.num_failed,
                "ignored": conclusion.num_ignored, "measured": conclusion.num_measured,
                "filtered_out": conclusion.num_filtered_out,
                "exec_time": elapsed.as_secs_f64(), "seed": self.run_seed,
            }),
        );
    }
}
