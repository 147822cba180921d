//! How the reports of a trial become its result. Only a "finished" report makes a pass.
//!
//! An exit code of 0 proves nothing: a test that calls `exit(0)` half-way has one as well. So the
//! test body says over a private channel that it has finished, and then its process has to end
//! cleanly. Whatever else happens is a failure, and the reason names it.

use std::time::Duration;

use crate::kernel::process::exit_kind::{ExitKind, signal_name};
use crate::sandbox::protocol::trial::{FailureKind, Finish, Survivor, TrialReport};
use crate::sandbox::refused::Refused;
use crate::trial::running::Remark;

/// Result of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TrialResult {
    /// The test finished and said so.
    Passed,
    /// The test did not finish, or finished with a failure.
    Failed(Failure),
    /// The trial was not run, for this reason if it is not empty.
    Ignored(String),
}

impl TrialResult {
    /// Makes the result of a trial that failed for a reason which only the runner knows.
    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(Failure {
            reason: reason.into(),
            location: String::new(),
            shown: Shown::Nowhere,
        })
    }
}

/// Reason for which a trial failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One sentence or more.
    pub(crate) reason: String,
    /// Place in the source as `file:line:column`, or empty.
    pub(crate) location: String,
    /// Form in which the test's own process has shown the reason.
    pub(crate) shown: Shown,
}

/// Form in which the test's own process has written the reason of its failure to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Rust's runtime has written the panic with its place.
    AsPanic,
    /// The test body has written the reason after `Error: `, without a place.
    AsError,
    /// Nobody has written the reason: the process could not, or its stderr leads elsewhere.
    Nowhere,
}

/// Everything that was heard of a trial.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    finish: Option<Finish>,
    end: Option<ExitKind>,
    refused: Option<Refused>,
    /// Processes that outlived the body.
    pub(crate) survivors: Vec<Survivor>,
    /// Nobody has any more what the trial was given.
    pub(crate) left_nothing: bool,
    /// What was going on when the time was over.
    pub(crate) described: Option<String>,
    /// The body has written down where it stands.
    pub(crate) traced: bool,
    /// What the body wants to have shown beside the verdict.
    notes: Vec<String>,
    /// The same, if it does not come to its end.
    last_words: Vec<String>,
    /// The supervisor's reason for ending it.
    pub(crate) stopped: Option<Stopped>,
}

/// Why the supervisor ended a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It took longer than this.
    Timeout(Duration),
    /// The run was interrupted by this signal.
    Interrupted(i32),
}

impl Heard {
    /// Takes in one report; true if it is the last.
    pub(crate) fn hear(&mut self, report: TrialReport) -> bool {
        match report {
            TrialReport::Exited {
                end,
                survivors,
                finish,
            } => {
                self.finish = finish;
                self.end = Some(end);
                self.survivors = survivors;
                return true;
            }
            TrialReport::AllWell => {
                self.finish = Some(Finish::Passed);
                self.end = Some(ExitKind::SUCCESS);
                self.left_nothing = true;
                return true;
            }
            TrialReport::Refused(refused) => {
                self.refused = Some(refused);
                return true;
            }
            TrialReport::Described(text) => self.described = Some(text),
            TrialReport::Traced => self.traced = true,
            TrialReport::Remarked(Remark::Note(note)) => self.notes.push(note),
            TrialReport::Remarked(Remark::LastWords(note)) => self.last_words.push(note),
        }
        false
    }

    /// Whether the last report has come.
    pub(crate) fn is_complete(&self) -> bool {
        self.end.is_some() || self.refused.is_some()
    }

    /// Returns what the kernel refused, if the sandbox could not be made.
    pub(crate) fn refused(&self) -> Option<&Refused> {
        self.refused.as_ref()
    }

    /// What is to be shown beside the verdict.
    pub(crate) fn notes(&self) -> Vec<String> {
        let last_words = self.last_words.iter().filter(|_| self.finish.is_none());
        self.notes.iter().chain(last_words).cloned().collect()
    }

    /// Returns the result that follows from all reports; `output` is what the trial wrote.
    pub(crate) fn result(&self, output: &str) -> TrialResult {
        match self.stopped {
            Some(Stopped::Timeout(limit)) => {
                return TrialResult::failed(format!("timed out after {limit:?}"));
            }
            Some(Stopped::Interrupted(signal)) => {
                return TrialResult::failed(format!("interrupted by {}", signal_name(signal)));
            }
            None => {}
        }
        let Some(end) = self.end else {
            return TrialResult::failed(
                "the sandbox died before the test had finished; was its first process killed, as by the kernel when memory is short?",
            );
        };
        match &self.finish {
            Some(Finish::Passed) if end == ExitKind::SUCCESS => TrialResult::Passed,
            Some(Finish::Passed) => TrialResult::failed(format!(
                "the test finished, but then its process {end}{}",
                cause(end, output)
            )),
            Some(Finish::Failed {
                kind,
                location,
                reason,
            }) => TrialResult::Failed(Failure {
                shown: shown(*kind, reason, output),
                reason: reason.clone(),
                location: location.clone(),
            }),
            None => TrialResult::failed(unfinished(end, output)),
        }
    }
}

fn shown(kind: FailureKind, reason: &str, output: &str) -> Shown {
    if kind == FailureKind::Panicked {
        Shown::AsPanic
    } else if output.contains(&format!("Error: {reason}")) {
        Shown::AsError
    } else {
        Shown::Nowhere
    }
}

/// Returns the reason of a failure whose test did not come to its end.
fn unfinished(end: ExitKind, output: &str) -> String {
    match end {
        ExitKind::Code(code) => {
            let hint = if code == 0 {
                " (did it call `std::process::exit`?)"
            } else {
                ""
            };
            format!("the test's process {end} before the test had finished{hint}")
        }
        ExitKind::Signal { .. } => format!("the test's process {end}{}", cause(end, output)),
    }
}

/// Returns the likely cause of a process's end, as a clause with a colon before it, or nothing.
fn cause(end: ExitKind, output: &str) -> &'static str {
    let ExitKind::Signal { number, .. } = end else {
        return "";
    };
    match number {
        libc::SIGABRT if has_overflowed_its_stack(output) => ": stack overflow",
        libc::SIGABRT => ": it aborted",
        libc::SIGSEGV => ": invalid memory reference",
        libc::SIGKILL => ": killed from inside the sandbox, or by the kernel when memory is short",
        _ => "",
    }
}

/// Returns whether a process that aborted did so because a stack overflowed.
///
/// A stack overflow raises `SIGSEGV`. The handler of Rust's standard library looks whether the
/// address lies in the guard page of the thread, and if so writes this text to stderr and aborts
/// (`library/std/src/sys/pal/unix/stack_overflow.rs`). The text is the only trace that it leaves:
/// the process dies of `SIGABRT` like any other that aborts. Nothing worse than a wrong hint in the
/// reason follows if a test writes the same text and aborts.
fn has_overflowed_its_stack(output: &str) -> bool {
    output.contains("has overflowed its stack")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(finish: Option<Finish>, end: Option<ExitKind>) -> Heard {
        Heard {
            finish,
            end,
            ..Heard::default()
        }
    }

    fn signal(number: i32) -> ExitKind {
        ExitKind::Signal {
            number,
            dumped_core: false,
        }
    }

    fn reason(heard: &Heard, output: &str) -> String {
        match heard.result(output) {
            TrialResult::Failed(failure) => failure.reason,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn only_finished_and_a_clean_exit_is_a_pass() {
        let passed = Some(Finish::Passed);
        assert_eq!(
            heard(passed.clone(), Some(ExitKind::Code(0))).result(""),
            TrialResult::Passed
        );
        for end in [Some(ExitKind::Code(1)), Some(signal(11)), None] {
            assert_ne!(
                heard(passed.clone(), end).result(""),
                TrialResult::Passed,
                "{end:?}"
            );
        }
        for end in [
            Some(ExitKind::Code(0)),
            Some(ExitKind::Code(1)),
            Some(signal(9)),
            None,
        ] {
            assert_ne!(heard(None, end).result(""), TrialResult::Passed, "{end:?}");
        }
    }

    #[test]
    fn ends_are_named() {
        assert!(reason(&heard(None, Some(ExitKind::Code(0))), "").contains("code 0 before"));
        assert!(reason(&heard(None, Some(signal(11))), "").contains("SIGSEGV (signal 11)"));
        let overflow = "thread 't' has overflowed its stack";
        assert!(reason(&heard(None, Some(signal(6))), overflow).contains("stack overflow"));
        assert!(reason(&heard(None, Some(signal(6))), "").contains("aborted"));
        assert!(reason(&heard(None, Some(signal(40))), "").contains("signal 40"));
    }

    #[test]
    fn last_words_are_shown_of_a_body_that_did_not_come_to_its_end() {
        let notes = |mut heard: Heard| {
            heard.hear(TrialReport::Remarked(Remark::LastWords(
                "see the log".into(),
            )));
            heard.hear(TrialReport::Remarked(Remark::Note("busy".into())));
            heard.notes()
        };
        assert_eq!(notes(heard(None, None)), ["busy", "see the log"]);
        let passed = Some(Finish::Passed);
        assert_eq!(notes(heard(passed, Some(ExitKind::Code(0)))), ["busy"]);
    }

    #[test]
    fn a_timeout_outweighs_what_was_heard_later() {
        let mut late = heard(Some(Finish::Passed), Some(ExitKind::Code(0)));
        late.stopped = Some(Stopped::Timeout(Duration::from_secs(2)));
        assert_eq!(reason(&late, ""), "timed out after 2s");
    }
}
