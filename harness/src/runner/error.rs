//! Why a run could not take place at all.

use std::fmt;

use crate::remedy::Remedy;
use crate::sandbox::refused::Refused;

/// Why a run could not take place: one sentence with the cause and the fix, and an exit status
/// that is not that of a failed test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Usage,
    Limit,
    Permission,
}

impl RunError {
    /// 64 for a wrong command line, 71 for a limit of the system, 77 for a missing permission.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => 64,
            Kind::Limit => 71,
            Kind::Permission => 77,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RunError {}

pub(crate) fn usage(message: impl Into<String>) -> RunError {
    RunError {
        kind: Kind::Usage,
        message: message.into(),
    }
}

pub(crate) fn limit(message: impl Into<String>) -> RunError {
    RunError {
        kind: Kind::Limit,
        message: message.into(),
    }
}

pub(crate) fn permission(message: impl Into<String>) -> RunError {
    RunError {
        kind: Kind::Permission,
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
