//! A character per trial, for runs of very many.

use std::time::Duration;

use snowglobe_text::counted;

use super::options::ReportOptions;
use super::outbox::Outbox;
use super::reporter::{FinishedTrial, Reporter, RunStart};
use super::sections::{Sections, last_line};
use super::style::Style;
use crate::runner::conclusion::Conclusion;
use crate::runner::result::TrialResult;
use crate::trial::Trial;

/// The format `terse`.
pub(crate) struct Terse {
    style: Style,
    sections: Sections,
    /// Number of all trials.
    total: usize,
    /// Number of trials that are over.
    done: usize,
    /// Number of characters on the last line.
    column: usize,
}

/// Number of characters after which a line ends, as in libtest
/// (`library/test/src/formatters/terse.rs`).
const WIDTH: usize = 88;

impl Terse {
    pub(crate) fn new(options: &ReportOptions) -> Self {
        Self {
            style: Style::chosen(options.color),
            sections: Sections::new(options.show_output),
            total: 0,
            done: 0,
            column: 0,
        }
    }
}

impl Reporter for Terse {
    fn run_started(&mut self, out: &mut Outbox, start: &RunStart) {
        self.total = start.trials;
        out.push(&format!("\nrunning {}\n", counted(start.trials, "test")));
    }

    fn trial_is_slow(&mut self, out: &mut Outbox, trial: &Trial, elapsed: Duration) {
        let newline = if self.column > 0 { "\n" } else { "" };
        self.column = 0;
        let name = trial.label();
        out.push(&format!(
            "{newline}test {name} has been running for over {} seconds\n",
            elapsed.as_secs()
        ));
    }

    fn trial_finished(&mut self, out: &mut Outbox, finished: &FinishedTrial<'_>) {
        out.push(&match &finished.result {
            TrialResult::Passed => self.style.green("."),
            TrialResult::Failed(failure) if failure.is_inconclusive => self.style.yellow("?"),
            TrialResult::Failed(_) => self.style.red("F"),
            TrialResult::Ignored(_) => self.style.yellow("i"),
        });
        self.done += 1;
        self.column += 1;
        if self.column == WIDTH || self.done == self.total {
            out.push(&if self.column == WIDTH {
                format!(" {}/{}\n", self.done, self.total)
            } else {
                "\n".to_owned()
            });
            self.column = 0;
        }
        self.sections.keep(finished);
    }

    fn run_finished(&mut self, out: &mut Outbox, conclusion: &Conclusion, elapsed: Duration) {
        if self.column > 0 {
            out.push("\n");
        }
        self.sections.show(out);
        out.push(&last_line(self.style, conclusion, elapsed));
    }
}
