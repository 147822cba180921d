//! The way from the reports of a trial to its result. Only a "finished" report makes a pass.
//!
//! An exit code of 0 proves nothing: a test that calls `exit(0)` half-way has one as well. So the
//! test body says over a private channel that the test has finished, and then the process of the
//! body has to end cleanly. Whatever else happens is a failure, and the reason names it.

use std::time::Duration;

use super::denials::{self, DeniedIn};
use crate::kernel::process::exit_kind::{ExitKind, signal_name};
use crate::kernel::process::signal::Signal;
use crate::runner::result::{Failure, Shown, TrialResult};
use crate::sandbox::protocol::trial::{
    BodyReport, Denial, FailureKind, Finish, Survivor, TrialReport,
};
use crate::sandbox::refused::Refused;
use crate::trial::running::Remark;
use crate::trial::{ShouldPanic, Trial};

/// Everything that a trial and its init have reported, and why the supervisor has ended them.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReceivedReports {
    /// Whether this trial passes by a panic.
    should_panic: bool,
    /// Last report of the body: the test has finished.
    finish: Option<Finish>,
    /// End of the body's process.
    end: Option<ExitKind>,
    /// The sandbox could not be made.
    refused: Option<Refused>,
    /// Processes that outlived the body.
    survivors: Vec<Survivor>,
    /// No process holds any more what the trial was given.
    left_nothing: bool,
    /// State of the trial's processes when the time was over.
    description: Option<String>,
    /// A thread of the body's process has overflowed its stack.
    has_overflowed: bool,
    /// The body has written a backtrace to its stderr.
    is_traced: bool,
    /// Remarks to show beside the result.
    notes: Vec<String>,
    /// Remarks to show there only if the body does not come to its end.
    last_words: Vec<String>,
    /// Ends of programs that nobody waited for, to tell first if the body does not come to its end.
    deaths: Vec<String>,
    /// Things that processes were denied, to show beside a failure.
    denials: Vec<Denial>,
    /// Number of reports of the body's forks that were taken in.
    forks_heard: usize,
    /// Reason of the supervisor for ending the trial.
    stopped: Option<Stopped>,
}

/// Number of reports of forks that are shown beside a result.
const FORKS_HEARD: usize = 10;

/// Reason of the supervisor for ending a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The trial took longer than this.
    Timeout(Duration),
    /// The run was interrupted by this signal.
    Interrupted(i32),
}

/// The parts of a trial's reports that stand beside its result.
pub(crate) struct Remarks {
    pub(crate) notes: Vec<String>,
    pub(crate) survivors: Vec<Survivor>,
    pub(crate) description: Option<String>,
}

impl ReceivedReports {
    /// Returns the reports of a trial of which nothing was heard yet.
    pub(crate) fn of(trial: &Trial) -> Self {
        Self {
            should_panic: trial.options().should_panic != ShouldPanic::No,
            ..Self::default()
        }
    }

    /// Takes in one report. Returns whether it is the last.
    pub(crate) fn add(&mut self, report: TrialReport) -> bool {
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
            TrialReport::Described(text) => self.description = Some(text),
            TrialReport::Traced => self.is_traced = true,
            TrialReport::StackOverflowed => self.has_overflowed = true,
            TrialReport::Remarked(Remark::Note(note)) => self.notes.push(note),
            TrialReport::Remarked(Remark::LastWords(note)) => self.last_words.push(note),
            TrialReport::Remarked(Remark::Death(sentence)) => self.deaths.push(sentence),
            TrialReport::Denied(denial) => self.denials.push(denial),
            // The body of a test is no program.
            TrialReport::StopSeen
            | TrialReport::Stopped(_)
            | TrialReport::ProgramEnded(_)
            | TrialReport::ProgramGone(_) => {}
            TrialReport::Forked { pid, report } => {
                if self.forks_heard < FORKS_HEARD {
                    self.forks_heard += 1;
                    self.notes
                        .extend(describe_fork(pid, report, self.should_panic));
                }
            }
        }
        false
    }

    /// Notes that the supervisor ends the trial. The last reason counts.
    pub(crate) fn stop(&mut self, reason: Stopped) {
        self.stopped = Some(reason);
    }

    /// Returns whether the last report has come.
    pub(crate) fn is_complete(&self) -> bool {
        self.end.is_some() || self.refused.is_some()
    }

    /// Returns whether the trial has said all that it can about what hangs.
    pub(crate) fn is_described(&self) -> bool {
        self.is_traced && self.description.is_some()
    }

    /// Returns whether no process holds any more what the trial was given.
    pub(crate) fn has_left_nothing(&self) -> bool {
        self.left_nothing
    }

    /// Returns what the kernel refused, if the sandbox could not be made.
    pub(crate) fn refused(&self) -> Option<&Refused> {
        self.refused.as_ref()
    }

    /// Returns what stands beside the result.
    pub(crate) fn into_remarks(mut self) -> Remarks {
        if self.finish.is_none() {
            self.notes.append(&mut self.last_words);
        }
        // A program may ask for what it can do without.
        if self.result() != TrialResult::Passed {
            let explain = |it| denials::explain(it, DeniedIn::Trial);
            self.notes.extend(self.denials.iter().map(explain));
        }
        Remarks {
            notes: self.notes,
            survivors: self.survivors,
            description: self.description,
        }
    }

    /// Returns the result that follows from all reports.
    pub(crate) fn result(&self) -> TrialResult {
        let mut result = self.result_without_deaths();
        // A body that has come to its end tells of the deaths by itself.
        if let (TrialResult::Failed(failure), None) = (&mut result, &self.finish) {
            failure.complaints = self.deaths.join("\n");
        }
        result
    }

    fn result_without_deaths(&self) -> TrialResult {
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
                self.cause(end)
            )),
            Some(failed @ Finish::Failed { .. }) => result_of(failed.clone()),
            None => TrialResult::failed(self.unfinished(end)),
        }
    }

    /// Returns the reason of a failure whose test did not come to its end.
    fn unfinished(&self, end: ExitKind) -> String {
        match end {
            ExitKind::Code(code) => {
                let hint = if code == 0 {
                    " (did it call `std::process::exit`?)"
                } else {
                    ""
                };
                format!("the test's process {end} before the test had finished{hint}")
            }
            ExitKind::Signal { .. } => format!("the test's process {end}{}", self.cause(end)),
        }
    }

    /// Returns the likely cause of a process's end, as a clause with a colon before it, or nothing.
    fn cause(&self, end: ExitKind) -> &'static str {
        let ExitKind::Signal { number, .. } = end else {
            return "";
        };
        match Signal::try_from(number) {
            Ok(Signal::SIGABRT) if self.has_overflowed => ": stack overflow",
            Ok(Signal::SIGABRT) => ": it aborted",
            Ok(Signal::SIGSEGV) => ": invalid memory reference",
            Ok(Signal::SIGKILL) => {
                ": killed from inside the sandbox, or by the kernel when memory is short"
            }
            // The names of other signals say enough.
            _ => "",
        }
    }
}

/// Returns the result of a body that has come to this end, and whose process has ended cleanly.
pub(crate) fn result_of(finish: Finish) -> TrialResult {
    match finish {
        Finish::Passed => TrialResult::Passed,
        Finish::Failed {
            kind,
            on_stderr,
            location,
            complaints,
            reason,
        } => TrialResult::Failed(Failure {
            shown: shown(kind, on_stderr),
            is_inconclusive: false,
            complaints,
            reason,
            location,
        }),
    }
}

/// Returns the note about a report that a fork of the body has made. `should_panic` says whether
/// the test passes by a panic.
fn describe_fork(pid: i32, report: Option<BodyReport>, should_panic: bool) -> Option<String> {
    let said = match report {
        Some(BodyReport::Finished(Finish::Passed)) if should_panic => {
            "panicked in the test function, as the test should".to_owned()
        }
        Some(BodyReport::Finished(Finish::Passed)) => "returned from the test function".to_owned(),
        Some(BodyReport::Finished(Finish::Failed { reason, .. })) => {
            let reason = reason.lines().next().unwrap_or_default();
            format!("came to the end of the test function and failed: {reason}")
        }
        Some(BodyReport::Remarked(
            Remark::Note(note) | Remark::LastWords(note) | Remark::Death(note),
        )) => {
            return Some(format!(
                "{note} (of process {pid}, which the test has forked)"
            ));
        }
        Some(BodyReport::StackOverflowed) => "overflowed its stack".to_owned(),
        // A backtrace is in the output already, and nodes are refused where they are asked for.
        Some(
            BodyReport::Traced
            | BodyReport::WantsNodes
            | BodyReport::ProgramEnded(_)
            | BodyReport::ChannelClosed,
        ) => return None,
        None => "wrote to the channel of the verdict".to_owned(),
    };
    Some(format!(
        "process {pid}, which the test has forked, {said}; the verdict is that of the test's own process alone: end forks with `_exit`"
    ))
}

fn shown(kind: FailureKind, on_stderr: bool) -> Shown {
    match kind {
        FailureKind::Panicked if on_stderr => Shown::AsPanic,
        FailureKind::Other if on_stderr => Shown::AsError,
        FailureKind::Panicked | FailureKind::Other => Shown::Nowhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(finish: Option<Finish>, end: Option<ExitKind>) -> ReceivedReports {
        ReceivedReports {
            finish,
            end,
            ..ReceivedReports::default()
        }
    }

    fn signal(number: i32) -> ExitKind {
        ExitKind::Signal {
            number,
            dumped_core: false,
        }
    }

    fn reason(reports: &ReceivedReports) -> String {
        match reports.result() {
            TrialResult::Failed(failure) => failure.reason,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn only_finished_and_a_clean_exit_is_a_pass() {
        let passed = Some(Finish::Passed);
        assert_eq!(
            reports(passed.clone(), Some(ExitKind::Code(0))).result(),
            TrialResult::Passed
        );
        for end in [Some(ExitKind::Code(1)), Some(signal(11)), None] {
            assert_ne!(
                reports(passed.clone(), end).result(),
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
            assert_ne!(reports(None, end).result(), TrialResult::Passed, "{end:?}");
        }
    }

    #[test]
    fn ends_are_named() {
        assert!(reason(&reports(None, Some(ExitKind::Code(0)))).contains("code 0 before"));
        assert!(reason(&reports(None, Some(signal(11)))).contains("SIGSEGV (signal 11)"));
        let mut overflow = reports(None, Some(signal(6)));
        overflow.add(TrialReport::StackOverflowed);
        assert!(reason(&overflow).contains("stack overflow"));
        assert!(reason(&reports(None, Some(signal(6)))).contains("aborted"));
        assert!(reason(&reports(None, Some(signal(40)))).contains("signal 40"));
    }

    #[test]
    fn last_words_are_shown_of_a_body_that_did_not_come_to_its_end() {
        let notes = |mut reports: ReceivedReports| {
            reports.add(TrialReport::Remarked(Remark::LastWords(
                "see the log".into(),
            )));
            reports.add(TrialReport::Remarked(Remark::Note("busy".into())));
            reports.into_remarks().notes
        };
        assert_eq!(notes(reports(None, None)), ["busy", "see the log"]);
        let passed = Some(Finish::Passed);
        assert_eq!(notes(reports(passed, Some(ExitKind::Code(0)))), ["busy"]);
    }

    #[test]
    fn a_timeout_outweighs_what_was_heard_later() {
        let mut late = reports(Some(Finish::Passed), Some(ExitKind::Code(0)));
        late.stopped = Some(Stopped::Timeout(Duration::from_secs(2)));
        assert_eq!(reason(&late), "timed out after 2s");
    }
}
