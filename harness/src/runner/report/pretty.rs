//! A line per trial.

use std::time::Duration;

use super::failure::Failures;
use super::outbox::Outbox;
use super::printer::{Done, Opening, Show, Style, plural, result_line};
use crate::runner::conclusion::Conclusion;
use crate::runner::result::Verdict;
use crate::trial::{ShouldPanic, Trial};

pub(crate) struct Pretty {
    style: Style,
    report_time: bool,
    failures: Failures,
    serial: bool,
    /// The line begun for the running trial still lacks its end.
    begun: bool,
}

impl Pretty {
    pub(crate) fn new(style: Style, report_time: bool, failures: Failures) -> Pretty {
        Pretty {
            style,
            report_time,
            failures,
            serial: false,
            begun: false,
        }
    }
}

fn label(trial: &Trial) -> String {
    let panics = match trial.options().should_panic {
        ShouldPanic::No => "",
        _ => " - should panic",
    };
    format!("test {}{panics} ... ", trial.label())
}

impl Show for Pretty {
    fn opening(&mut self, out: &mut Outbox, opening: &Opening) {
        self.serial = opening.serial;
        self.failures.opening(opening.run_seed);
        let order = match opening.shuffle_seed {
            Some(seed) => format!(" (shuffle seed: {seed})"),
            None => String::new(),
        };
        out.push(&format!(
            "\nrunning {}{order}\n",
            plural(opening.trials, "test")
        ));
        if !opening.isolation.is_empty() {
            out.push(&format!("{}\n", opening.isolation));
        }
        for note in &opening.notes {
            out.push(&format!("{} {note}\n", self.style.yellow("note:")));
        }
    }

    fn started(&mut self, out: &mut Outbox, trial: &Trial) {
        if self.serial {
            out.push(&label(trial));
            self.begun = true;
        }
    }

    fn slow(&mut self, out: &mut Outbox, trial: &Trial, elapsed: Duration) {
        let newline = if self.begun { "\n" } else { "" };
        self.begun = false;
        out.push(&format!(
            "{newline}test {} has been running for over {} seconds\n",
            trial.label(),
            elapsed.as_secs()
        ));
    }

    fn done(&mut self, out: &mut Outbox, done: &Done<'_>) {
        if !self.begun {
            out.push(&label(done.trial));
        }
        self.begun = false;
        out.push(&match &done.verdict {
            Verdict::Passed => self.style.green("ok"),
            Verdict::Failed(_) => self.style.red("FAILED"),
            Verdict::Ignored(_) => self.style.yellow("ignored"),
        });
        if let Verdict::Ignored(reason) = &done.verdict
            && !reason.is_empty()
        {
            out.push(&format!(", {reason}"));
        }
        if self.report_time && !matches!(done.verdict, Verdict::Ignored(_)) {
            out.push(&format!(" <{:.3}s>", done.duration.as_secs_f64()));
        }
        if let (Verdict::Passed, Some(survivors)) = (&done.verdict, done.survivors()) {
            out.push(&format!(" (left running, and killed: {survivors})"));
        }
        if !done.notes.is_empty() {
            out.push(&format!(" (note: {})", done.notes.join("; ")));
        }
        out.push("\n");
        self.failures.keep(done);
    }

    fn closing(&mut self, out: &mut Outbox, conclusion: &Conclusion, elapsed: Duration) {
        self.failures.show(out);
        out.push(&result_line(self.style, conclusion, elapsed));
    }
}
