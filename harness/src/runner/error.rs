//! Why a run could not take place at all.

use std::fmt;

use nix::errno::Errno;

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
///
/// `step` is a verb and its object, as in `mount /proc`.
pub(crate) fn explain(step: &str, errno: Errno) -> RunError {
    let refused = format!("cannot make the sandbox: {step}: {errno}");
    let namespaces = step.starts_with("clone3");
    match errno {
        Errno::ENOSPC if namespaces => limit(format!(
            "{refused}: a limit on namespaces is reached; see `sysctl user | grep max_.*_namespaces` and raise the one that is low, or run with fewer --test-threads"
        )),
        Errno::EUSERS => limit(format!(
            "{refused}: user namespaces are nested 32 deep, which is the most there can be; start the tests from further outside"
        )),
        Errno::EAGAIN => limit(format!(
            "{refused}: too many processes; raise `ulimit -u` (or the cgroup's pids.max), or run with fewer --test-threads"
        )),
        Errno::EMFILE | Errno::ENFILE => limit(format!(
            "{refused}: too few file descriptors; raise `ulimit -n`, or run with fewer --test-threads"
        )),
        Errno::ENOMEM => limit(format!(
            "{refused}: not enough memory; run with fewer --test-threads"
        )),
        Errno::EPERM | Errno::EACCES if namespaces || apparmor_restricts() => {
            permission(format!("{refused}: {}", user_namespace_fix()))
        }
        Errno::EPERM if step == "mount /proc" => permission(format!(
            "{refused}: something is mounted over parts of /proc, as in an unprivileged container, and then no fresh one is permitted; start the container with --privileged (or `--security-opt systempaths=unconfined`)"
        )),
        Errno::EPERM | Errno::EACCES => permission(format!("{refused}: {}", user_namespace_fix())),
        _ => permission(format!("{refused}; `cargo xtask doctor` may say more")),
    }
}

pub(crate) fn apparmor_restricts() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
        .is_ok_and(|text| text.trim() != "0")
}

fn user_namespace_fix() -> String {
    let (cause, fix) = user_namespace_remedy();
    format!("{cause}; {fix}")
}

/// Why this process may not make user namespaces or has no privileges in them, and what to do.
pub(crate) fn user_namespace_remedy() -> (&'static str, &'static str) {
    let zero = |file: &str| std::fs::read_to_string(file).is_ok_and(|text| text.trim() == "0");
    if apparmor_restricts() {
        (
            "AppArmor keeps user namespaces from ordinary users (Ubuntu 23.10 and later)",
            "run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or run the tests as root",
        )
    } else if zero("/proc/sys/kernel/unprivileged_userns_clone") {
        (
            "user namespaces are switched off for ordinary users",
            "run `sudo sysctl -w kernel.unprivileged_userns_clone=1`",
        )
    } else if zero("/proc/sys/user/max_user_namespaces") {
        (
            "user namespaces are switched off",
            "run `sudo sysctl -w user.max_user_namespaces=15000`",
        )
    } else {
        (
            "this process may not make user namespaces, as in a container with the default seccomp profile or in a chroot",
            "start the container with --privileged (GitHub Actions: `options: --privileged`), or run outside of it",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_a_cause_a_fix_and_a_status_of_its_own() {
        let limit = explain("clone3", Errno::ENOSPC);
        assert_eq!(limit.exit_code(), 71);
        assert!(limit.to_string().contains("max_"), "{limit}");
        let permission = explain("mount /proc", Errno::EPERM);
        assert_eq!(permission.exit_code(), 77);
        assert!(
            permission.to_string().contains("mount /proc"),
            "{permission}"
        );
        assert!(!permission.to_string().contains('\n'));
    }
}
