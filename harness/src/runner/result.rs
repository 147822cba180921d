//! How a trial's reports become a verdict. Only a "finished" report makes a pass.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::sandbox::protocol::trial::{FailureKind, Finish, ProcessEnd, Survivor, TrialReport};
use crate::sandbox::refused::Refused;
use crate::trial::running::Remark;

/// What became of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It finished and said so.
    Passed,
    /// It did not.
    Failed(Failure),
    /// It was not run; the reason, if there is one.
    Ignored(String),
}

/// Why a trial failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One sentence or more; what libtest puts behind `FAILED`-lines as a note.
    pub(crate) reason: String,
    /// `file:line:column`, where known.
    pub(crate) location: String,
    /// The reason stands in the output already (a panic's message).
    pub(crate) in_output: bool,
}

/// Everything that was heard of a trial.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    finish: Option<Finish>,
    end: Option<ProcessEnd>,
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
                self.end = Some(ProcessEnd::Code(0));
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

    /// The verdict on all that was heard.
    pub(crate) fn verdict(&self, output: &str) -> Verdict {
        let plain = |reason: String| {
            Verdict::Failed(Failure {
                reason,
                ..Failure::default()
            })
        };
        match (self.stopped, &self.finish, self.end) {
            (Some(Stopped::Timeout(limit)), _, _) => plain(format!("timed out after {limit:?}")),
            (Some(Stopped::Interrupted(signal)), _, _) => plain(format!("interrupted by {}", signal_name(signal))),
            (None, Some(Finish::Passed), Some(ProcessEnd::Code(0))) => Verdict::Passed,
            (
                None,
                Some(Finish::Failed {
                    kind,
                    location,
                    reason,
                }),
                _,
            ) => Verdict::Failed(Failure {
                in_output: *kind == FailureKind::Panicked,
                reason: reason.clone(),
                location: location.clone(),
            }),
            (None, Some(Finish::Passed), Some(end)) => {
                plain(format!("the test finished, but then its process {}", ending(end, output)))
            }
            (None, None, Some(ProcessEnd::Code(code))) => plain(format!(
                "the test's process exited with code {code} before the test had finished{}",
                if code == 0 { " (did it call `std::process::exit`?)" } else { "" }
            )),
            (None, None, Some(end)) => plain(format!("the test's process {}", ending(end, output))),
            (None, _, None) => plain(
                "the sandbox died before the test had finished; was its first process killed, as by the kernel when memory is short?".to_owned(),
            ),
        }
    }
}

fn ending(end: ProcessEnd, output: &str) -> String {
    match end {
        ProcessEnd::Code(code) => format!("exited with code {code}"),
        ProcessEnd::Signal(signal) => {
            let cause = match signal {
                libc::SIGABRT if output.contains("has overflowed its stack") => ": stack overflow",
                libc::SIGABRT => ": it aborted",
                libc::SIGSEGV => ": invalid memory reference",
                libc::SIGKILL => {
                    ": killed from inside the sandbox, or by the kernel when memory is short"
                }
                _ => "",
            };
            format!("was killed by {}{cause}", signal_name(signal))
        }
    }
}

/// `SIGSEGV (signal 11)`.
pub(crate) fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => format!("{} (signal {number})", signal.as_str()),
        Err(_) => format!("signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(finish: Option<Finish>, end: Option<ProcessEnd>) -> Heard {
        Heard {
            finish,
            end,
            ..Heard::default()
        }
    }

    fn reason(heard: &Heard, output: &str) -> String {
        match heard.verdict(output) {
            Verdict::Failed(failure) => failure.reason,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn only_finished_and_a_clean_exit_is_a_pass() {
        let passed = Some(Finish::Passed);
        assert_eq!(
            heard(passed.clone(), Some(ProcessEnd::Code(0))).verdict(""),
            Verdict::Passed
        );
        for end in [
            Some(ProcessEnd::Code(1)),
            Some(ProcessEnd::Signal(11)),
            None,
        ] {
            assert_ne!(
                heard(passed.clone(), end).verdict(""),
                Verdict::Passed,
                "{end:?}"
            );
        }
        for end in [
            Some(ProcessEnd::Code(0)),
            Some(ProcessEnd::Code(1)),
            Some(ProcessEnd::Signal(9)),
            None,
        ] {
            assert_ne!(heard(None, end).verdict(""), Verdict::Passed, "{end:?}");
        }
    }

    #[test]
    fn ends_are_named() {
        assert!(reason(&heard(None, Some(ProcessEnd::Code(0))), "").contains("code 0 before"));
        assert!(
            reason(&heard(None, Some(ProcessEnd::Signal(11))), "").contains("SIGSEGV (signal 11)")
        );
        let overflow = "thread 't' has overflowed its stack";
        assert!(
            reason(&heard(None, Some(ProcessEnd::Signal(6))), overflow).contains("stack overflow")
        );
        assert!(reason(&heard(None, Some(ProcessEnd::Signal(6))), "").contains("aborted"));
        assert!(reason(&heard(None, Some(ProcessEnd::Signal(40))), "").contains("signal 40"));
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
        assert_eq!(notes(heard(passed, Some(ProcessEnd::Code(0)))), ["busy"]);
    }

    #[test]
    fn a_timeout_outweighs_what_was_heard_later() {
        let mut late = heard(Some(Finish::Passed), Some(ProcessEnd::Code(0)));
        late.stopped = Some(Stopped::Timeout(Duration::from_secs(2)));
        assert_eq!(reason(&late, ""), "timed out after 2s");
    }
}
