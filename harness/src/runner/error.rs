//! The errors of a run that could not take place at all.
//!
//! A CI job should tell a failed test from a machine on which no test can run. So these errors have
//! exit codes of their own, three of those in `sysexits.h`.

use std::fmt;

use crate::remedy::Remedy;
use crate::sandbox::refused::Refused;

/// Reason for which a run could not take place: one sentence with the cause and the fix, and an
/// exit code that is not the one of a failed test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError {
    kind: RunErrorKind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunErrorKind {
    Usage,
    Limit,
    Permission,
}

impl RunError {
    /// Returns 64 for a wrong command line, 71 for a limit of the system, 77 for a missing
    /// permission.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            RunErrorKind::Usage => 64,
            RunErrorKind::Limit => 71,
            RunErrorKind::Permission => 77,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RunError {}

/// Makes the error of a wrong command line, environment or list of trials (`EX_USAGE`).
pub(crate) fn usage(message: impl Into<String>) -> RunError {
    RunError {
        kind: RunErrorKind::Usage,
        message: message.into(),
    }
}

/// Makes the error of a limit of the system that was reached (`EX_OSERR`).
pub(crate) fn limit(message: impl Into<String>) -> RunError {
    RunError {
        kind: RunErrorKind::Limit,
        message: message.into(),
    }
}

/// Makes the error of a system that does not permit what was asked for (`EX_NOPERM`).
pub(crate) fn permission(message: impl Into<String>) -> RunError {
    RunError {
        kind: RunErrorKind::Permission,
        message: message.into(),
    }
}

/// Explains why the kernel refused a step of making a sandbox.
pub(crate) fn explain(refused: &Refused) -> RunError {
    let remedy = Remedy::of(refused, false);
    let message = match remedy.explanation() {
        Some(explanation) => format!("cannot make the sandbox: {refused}: {explanation}"),
        None => format!("cannot make the sandbox: {refused}; `cargo xtask doctor` may say more"),
    };
    if remedy.is_about_a_limit() {
        limit(message)
    } else {
        permission(message)
    }
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
        assert!(
            permission.to_string().contains("mount /proc"),
            "{permission}"
        );
        assert!(!permission.to_string().contains('\n'));
    }
}
