//! A character per trial.

use std::time::Duration;

use super::failure::Failures;
use super::outbox::Outbox;
use super::printer::{Done, Opening, Show, Style, plural, result_line};
use crate::runner::conclusion::Conclusion;
use crate::runner::result::Verdict;
use crate::trial::Trial;

pub(crate) struct Terse {
    style: Style,
    failures: Failures,
    total: usize,
    done: usize,
    column: usize,
}

/// libtest breaks its lines here.
const WIDTH: usize = 88;

impl Terse {
    pub(crate) fn new(style: Style, failures: Failures) -> Terse {
        Terse {
            style,
            failures,
            total: 0,
            done: 0,
            column: 0,
        }
    }
}

impl Show for Terse {
    fn opening(&mut self, out: &mut Outbox, opening: &Opening) {
        self.total = opening.trials;
        self.failures.opening(opening.run_seed);
        out.push(&format!("\nrunning {}\n", plural(opening.trials, "test")));
    }

    fn started(&mut self, _: &mut Outbox, _: &Trial) {}

    fn slow(&mut self, out: &mut Outbox, trial: &Trial, elapsed: Duration) {
        let newline = if self.column > 0 { "\n" } else { "" };
        self.column = 0;
        let name = trial.label();
        out.push(&format!(
            "{newline}test {name} has been running for over {} seconds\n",
            elapsed.as_secs()
        ));
    }

    fn done(&mut self, out: &mut Outbox, done: &Done<'_>) {
        out.push(&match done.verdict {
            Verdict::Passed => self.style.green("."),
            Verdict::Failed(_) => self.style.red("F"),
            Verdict::Ignored(_) => self.style.yellow("i"),
        });
        self.done += 1;
        self.column += 1;
        if self.column == WIDTH || self.done == self.total {
            out.push(&match self.column == WIDTH {
                true => format!(" {}/{}\n", self.done, self.total),
                false => "\n".to_owned(),
            });
            self.column = 0;
        }
        self.failures.keep(done);
    }

    fn closing(&mut self, out: &mut Outbox, conclusion: &Conclusion, elapsed: Duration) {
        if self.column > 0 {
            out.push("\n");
        }
        self.failures.show(out);
        out.push(&result_line(self.failures.style(), conclusion, elapsed));
    }
}
