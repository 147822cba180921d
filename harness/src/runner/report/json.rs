//! libtest's JSON lines.

use std::time::Duration;

use serde_json::{Value, json};

use super::outbox::Outbox;
use super::printer::{Done, Opening, Show};
use crate::runner::conclusion::Conclusion;
use crate::runner::result::Verdict;
use crate::trial::Trial;

#[derive(Default)]
pub(crate) struct Json {
    run_seed: u64,
}

fn line(out: &mut Outbox, value: &Value) {
    out.push(&format!("{value}\n"));
}

impl Show for Json {
    fn opening(&mut self, out: &mut Outbox, opening: &Opening) {
        self.run_seed = opening.run_seed;
        let mut event = json!({
            "type": "suite", "event": "started", "test_count": opening.trials,
            "isolation": opening.isolation,
        });
        if let Some(seed) = opening.shuffle_seed {
            event["shuffle_seed"] = seed.into();
        }
        line(out, &event);
    }

    fn started(&mut self, out: &mut Outbox, trial: &Trial) {
        line(
            out,
            &json!({"type": "test", "event": "started", "name": trial.name()}),
        );
    }

    fn slow(&mut self, out: &mut Outbox, trial: &Trial, _: Duration) {
        line(
            out,
            &json!({"type": "test", "event": "timeout", "name": trial.name()}),
        );
    }

    fn done(&mut self, out: &mut Outbox, done: &Done<'_>) {
        let mut event = json!({"type": "test", "name": done.trial.name()});
        match &done.verdict {
            Verdict::Passed => event["event"] = "ok".into(),
            Verdict::Ignored(reason) => {
                event["event"] = "ignored".into();
                if !reason.is_empty() {
                    event["message"] = reason.as_str().into();
                }
            }
            Verdict::Failed(failure) => {
                event["event"] = "failed".into();
                event["message"] = failure.reason.as_str().into();
                if !failure.location.is_empty() {
                    event["location"] = failure.location.as_str().into();
                }
                event["seed"] = done.seed.into();
            }
        }
        if !matches!(done.verdict, Verdict::Ignored(_)) {
            event["exec_time"] = done.duration.as_secs_f64().into();
        }
        let mut output = done.output.clone();
        if let (Verdict::Failed(_), Some(described)) = (&done.verdict, &done.described) {
            output.push_str(&format!("what hangs:\n{described}"));
        }
        if !output.is_empty() {
            event["stdout"] = output.into();
        }
        if !done.notes.is_empty() {
            event["notes"] = done.notes.as_slice().into();
        }
        if !done.survivors.is_empty() {
            let survivors = done
                .survivors
                .iter()
                .map(|s| json!({"pid": s.pid, "name": s.name}));
            event["survivors"] = survivors.collect();
        }
        line(out, &event);
    }

    fn closing(&mut self, out: &mut Outbox, conclusion: &Conclusion, elapsed: Duration) {
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
