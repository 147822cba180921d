//! The errors of a run that could not take place at all.
//!
//! A CI job should tell a failed test from a machine on which no test can run. So these errors have
//! exit codes of their own, four of those in `sysexits.h`.

use std::fmt;

use snowglobe_fixtures::command;

use crate::remedy::Remedy;
use crate::sandbox::refused::Refused;

/// Reason for which a run could not take place: one sentence with the cause and the fix, and an
/// exit code that is not the one of a failed test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError(RunErrorCause);

#[derive(Clone, Debug, PartialEq, Eq)]
enum RunErrorCause {
    /// The command line, the environment or the list of trials is wrong, as the sentence says.
    Usage(String),
    /// A limit of the system was reached, as the sentence says.
    Limit(String),
    /// A report could not be written, as the sentence says.
    Unwritten(String, Option<i32>),
    /// The kernel refused a step of making a sandbox.
    Refused(Refused, Remedy),
}

impl RunError {
    /// Returns 64 for a wrong command line, 71 for a limit of the system, 74 for a report that
    /// could not be written, 77 for a missing permission.
    pub fn exit_code(&self) -> u8 {
        const EX_USAGE: u8 = 64;
        const EX_OSERR: u8 = 71;
        const EX_IOERR: u8 = 74;
        const EX_NOPERM: u8 = 77;
        match &self.0 {
            RunErrorCause::Usage(_) => EX_USAGE,
            RunErrorCause::Limit(_) => EX_OSERR,
            RunErrorCause::Unwritten(..) => EX_IOERR,
            RunErrorCause::Refused(_, remedy) if remedy.is_about_a_limit() => EX_OSERR,
            RunErrorCause::Refused(..) => EX_NOPERM,
        }
    }

    /// Returns the errno with which the kernel refused a step or a write, if that is the reason.
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0 {
            RunErrorCause::Usage(_) | RunErrorCause::Limit(_) => None,
            RunErrorCause::Unwritten(_, errno) => *errno,
            RunErrorCause::Refused(refused, _) => Some(refused.errno as i32),
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            RunErrorCause::Usage(sentence)
            | RunErrorCause::Limit(sentence)
            | RunErrorCause::Unwritten(sentence, _) => f.write_str(sentence),
            RunErrorCause::Refused(refused, remedy) => {
                write!(f, "cannot make the sandbox: {refused}")?;
                match remedy.explanation() {
                    Some(explanation) => write!(f, ": {explanation}"),
                    None => write!(f, "; {} may say more", command::quoted("doctor")),
                }
            }
        }
    }
}

impl std::error::Error for RunError {}

/// Makes the error of a wrong command line, environment or list of trials.
pub(crate) fn usage(sentence: impl Into<String>) -> RunError {
    RunError(RunErrorCause::Usage(sentence.into()))
}

/// Makes the error of a limit of the system that was reached.
pub(crate) fn limit(sentence: impl Into<String>) -> RunError {
    RunError(RunErrorCause::Limit(sentence.into()))
}

/// Makes the error of a `report` that could not be written.
pub(crate) fn unwritten(report: impl fmt::Display, error: &std::io::Error) -> RunError {
    let sentence = format!("cannot write {report}: {error}");
    RunError(RunErrorCause::Unwritten(sentence, error.raw_os_error()))
}

/// Makes the error of a step that the kernel refused, with what a user can do about that.
pub(crate) fn explain(refused: &Refused) -> RunError {
    let remedy = Remedy::of(refused);
    RunError(RunErrorCause::Refused(refused.clone(), remedy))
}

#[cfg(test)]
mod tests {
    use crate::kernel::errno::Errno;
    use crate::kernel::namespace::CloneFlags;

    use super::*;
    use crate::sandbox::refused::{NewProcess, SetupStep};

    #[test]
    fn each_refusal_has_a_cause_a_fix_and_a_status_of_its_own() {
        let explain = |step, errno| explain(&Refused { step, errno });
        let clone = SetupStep::Clone(NewProcess::Sandbox, CloneFlags::CLONE_NEWNET);
        let limit = explain(clone, Errno::ENOSPC);
        assert_eq!(limit.exit_code(), 71);
        assert!(limit.to_string().contains("max_"), "{limit}");
        let permission = explain(SetupStep::mount("/proc"), Errno::EPERM);
        assert_eq!(permission.exit_code(), 77);
        assert_eq!(permission.raw_os_error(), Some(Errno::EPERM as i32));
        assert!(
            permission.to_string().contains("mount /proc"),
            "{permission}"
        );
        assert!(!permission.to_string().contains('\n'));
    }
}
