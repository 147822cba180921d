//! A line per trial, for people.

use std::time::Duration;

use snowglobe_text::counted;

use super::options::ReportOptions;
use super::outbox::Outbox;
use super::reporter::{FinishedTrial, Reporter, RunStart};
use super::sections::{Sections, last_line};
use super::style::Style;
use crate::runner::conclusion::Conclusion;
use crate::runner::result::TrialResult;
use crate::sandbox::inherited::sentence_on_host;
use crate::trial::{ShouldPanic, Trial};

/// The format `pretty`.
pub(crate) struct Pretty {
    style: Style,
    report_time: bool,
    sections: Sections,
    /// One trial runs at a time.
    serial: bool,
    /// The line of the running trial has been begun, and has no end yet.
    is_line_begun: bool,
    /// Settings of the host that trials cannot change, for a run in which a trial fails.
    host: Option<String>,
}

impl Pretty {
    pub(crate) fn new(options: &ReportOptions) -> Self {
        Self {
            style: Style::chosen(options.color),
            report_time: options.report_time,
            sections: Sections::new(options.show_output),
            serial: false,
            is_line_begun: false,
            host: None,
        }
    }
}

/// Returns the beginning of the line of a trial.
fn label(trial: &Trial) -> String {
    let panics = match trial.options().should_panic {
        ShouldPanic::No => "",
        ShouldPanic::Yes | ShouldPanic::With(_) => " - should panic",
    };
    format!("test {}{panics} ... ", trial.label())
}

impl Reporter for Pretty {
    fn run_started(&mut self, out: &mut Outbox, start: &RunStart) {
        self.serial = start.serial;
        self.host = start.host.clone();
        let order = match start.shuffle_seed {
            Some(seed) => format!(" (shuffle seed: {seed})"),
            None => String::new(),
        };
        out.push(&format!(
            "\nrunning {}{order}\n",
            counted(start.trials, "test")
        ));
        if !start.isolation.is_empty() {
            out.push(&format!("{}\n", start.isolation));
        }
        for note in &start.notes {
            out.push(&format!("{} {note}\n", self.style.yellow("note:")));
        }
    }

    fn trial_started(&mut self, out: &mut Outbox, trial: &Trial) {
        // libtest too writes the name first if one test runs at a time, so that a run that hangs
        // shows in which test.
        if self.serial {
            out.push(&label(trial));
            self.is_line_begun = true;
        }
    }

    fn trial_is_slow(&mut self, out: &mut Outbox, trial: &Trial, elapsed: Duration) {
        let newline = if self.is_line_begun { "\n" } else { "" };
        self.is_line_begun = false;
        out.push(&format!(
            "{newline}test {} has been running for over {} seconds\n",
            trial.label(),
            elapsed.as_secs()
        ));
    }

    fn trial_finished(&mut self, out: &mut Outbox, finished: &FinishedTrial<'_>) {
        if !self.is_line_begun {
            out.push(&label(finished.trial));
        }
        self.is_line_begun = false;
        out.push(&match &finished.result {
            TrialResult::Passed => self.style.green("ok"),
            TrialResult::Failed(failure) if failure.is_inconclusive => {
                self.style.yellow("inconclusive")
            }
            TrialResult::Failed(_) => self.style.red("FAILED"),
            TrialResult::Ignored(_) => self.style.yellow("ignored"),
        });
        if let TrialResult::Ignored(reason) = &finished.result
            && !reason.is_empty()
        {
            out.push(&format!(", {reason}"));
        }
        if self.report_time && !matches!(finished.result, TrialResult::Ignored(_)) {
            out.push(&format!(" <{:.3}s>", finished.duration.as_secs_f64()));
        }
        if let (TrialResult::Passed, Some(survivors)) = (&finished.result, finished.survivors()) {
            out.push(&format!(" (left running, and killed: {survivors})"));
        }
        if !finished.notes.is_empty() {
            out.push(&format!(" (note: {})", finished.notes.join("; ")));
        }
        out.push("\n");
        self.sections.keep(finished);
    }

    fn run_finished(&mut self, out: &mut Outbox, conclusion: &Conclusion, elapsed: Duration) {
        if let Some(host) = self.host.as_ref().filter(|_| conclusion.has_failed()) {
            let sentence = sentence_on_host(host);
            out.push(&format!("\n{} {sentence}\n", self.style.yellow("note:")));
        }
        // The failures come last, as in libtest: tools look for the list of failures there.
        self.sections.show(out);
        out.push(&last_line(self.style, conclusion, elapsed));
    }
}
