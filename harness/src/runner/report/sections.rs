//! libtest's sections at the end of a run, and its last line.
//!
//! Output of failed trials is shown at the end, where people look for it, so it has to be kept
//! until then. A run in which everything fails could keep more than the machine has, so the
//! descriptions are cut once they take 64 MiB.

use std::time::Duration;

use super::describe::{describe, with_newline};
use super::outbox::Outbox;
use super::reporter::FinishedTrial;
use super::style::Style;
use crate::kernel::process::exit_kind::signal_name;
use crate::runner::conclusion::Conclusion;
use crate::runner::result::TrialResult;

/// Failures (and, with `--show-output`, passes) as they will be shown at the end.
#[derive(Debug)]
pub(crate) struct Sections {
    show_output: bool,
    failed: Vec<(String, String)>,
    inconclusive: Vec<(String, String)>,
    passed: Vec<(String, String)>,
}

/// Size up to which the descriptions of failed trials are kept whole, in bytes.
const KEPT_WHOLE: usize = 64 << 20;
/// Size of a description that is cut, in bytes.
const CUT: usize = 16 << 10;

impl Sections {
    pub(crate) fn new(show_output: bool) -> Self {
        Self {
            show_output,
            failed: Vec::new(),
            inconclusive: Vec::new(),
            passed: Vec::new(),
        }
    }

    /// Keeps what will be shown of a trial.
    pub(crate) fn keep(&mut self, finished: &FinishedTrial<'_>) {
        let name = || finished.trial.name().to_owned();
        match &finished.result {
            TrialResult::Failed(failure) => {
                let kept = self.failed.iter().chain(&self.inconclusive);
                let kept: usize = kept.map(|(_, text)| text.len()).sum();
                let mut text = describe(finished, failure);
                if kept + text.len() > KEPT_WHOLE {
                    text.truncate(text.floor_char_boundary(CUT));
                }
                if failure.is_inconclusive {
                    self.inconclusive.push((name(), text));
                } else {
                    self.failed.push((name(), text));
                }
            }
            TrialResult::Passed => {
                if self.show_output && !finished.output.is_empty() {
                    self.passed.push((name(), with_newline(&finished.output)));
                }
            }
            TrialResult::Ignored(_) => {}
        }
    }

    /// Writes the sections.
    pub(crate) fn show(&self, out: &mut Outbox) {
        if self.show_output {
            section(out, "successes", &self.passed);
        }
        if !self.inconclusive.is_empty() {
            section(out, "inconclusive", &self.inconclusive);
        }
        if !self.failed.is_empty() {
            section(out, "failures", &self.failed);
        }
    }
}

fn section(out: &mut Outbox, title: &str, entries: &[(String, String)]) {
    out.push(&format!("\n{title}:\n"));
    // libtest says `stdout` here although stderr is in it as well, and programs look for that line.
    for (name, text) in entries {
        out.push(&format!("\n---- {name} stdout ----\n{text}"));
    }
    out.push(&format!("\n{title}:\n"));
    for (name, _) in entries {
        out.push(&format!("    {name}\n"));
    }
}

/// Returns libtest's last line.
pub(crate) fn last_line(style: Style, conclusion: &Conclusion, elapsed: Duration) -> String {
    let is_cut_short = conclusion.interrupted_by.is_some();
    let word = if conclusion.num_failed > 0 || is_cut_short {
        style.red("FAILED")
    } else if conclusion.num_inconclusive > 0 {
        style.yellow("INCONCLUSIVE")
    } else {
        style.green("ok")
    };
    // Programs read libtest's line, which has no such count, so that the usual line stays as it is.
    let inconclusive = match conclusion.num_inconclusive {
        0 => String::new(),
        count => format!(" {count} inconclusive;"),
    };
    let interrupted = match conclusion.interrupted_by {
        Some(signal) => format!(" interrupted by {};", signal_name(signal)),
        None => String::new(),
    };
    format!(
        "\ntest result: {word}.{interrupted} {} passed; {} failed;{inconclusive} {} ignored; {} measured; {} filtered out; finished in {:.2}s\n\n",
        conclusion.num_passed,
        conclusion.num_failed,
        conclusion.num_ignored,
        conclusion.num_measured,
        conclusion.num_filtered_out,
        elapsed.as_secs_f64()
    )
}
