//! Remedies: what a user can do about a refusal of the kernel.
//!
//! An errno says little to the author of a test: EPERM of a `clone3` may be AppArmor, a sysctl, a
//! container's filter or a chroot. The runner, when a run fails, and the doctor, when it looks for
//! what a machine lacks, must come to the same advice. So it is found in one place, from the kind
//! of the step and the errno, and put into words in one place: as a sentence with the cause, or as
//! the command alone.

use std::path::Path;

use snowglobe_text::counted;

use crate::kernel::errno::Errno;
use crate::kernel::namespace::CloneFlags;
use crate::kernel::process::limits;
use crate::kernel::process::user::{SETFCAP, geteuid, has_capability};
use crate::kernel::process::valgrind;
use crate::kernel::procfs::{MountEntry, Procfs, sysctls};
use crate::model::plan::RAISE_OPEN_FILES;

use crate::sandbox::namespace_limits::NAMESPACE_KINDS;
use crate::sandbox::refused::{Refused, SetupStep};

/// Something that a user can do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Raise the limits on namespaces of these kinds.
    RaiseNamespaceLimits(CloneFlags),
    /// Start from further outside: user namespaces are nested too deep.
    NestLess,
    /// Permit more processes.
    PermitProcesses,
    /// Permit more descriptors.
    PermitDescriptors,
    /// Find more memory.
    FreeMemory,
    /// Uncover `/proc`, which must be fully visible before a fresh one is permitted.
    UncoverProc,
    /// Mount a sysfs at `/sys`, which must be in sight before a fresh one is permitted.
    MountSys,
    /// Move to another root: the kernel cannot change that of the initramfs.
    LeaveInitramfs,
    /// Leave the chroot, in which no user namespace is permitted.
    LeaveChroot,
    /// Permit user namespaces, where this obstacle forbids them.
    PermitUserNamespaces(Obstacle),
    /// Run the tests without Valgrind, which does not know the call.
    LeaveValgrind,
    /// Boot a kernel that knows the call.
    BootNewerKernel,
    /// Look into the kernel's log: nothing is known of this refusal.
    ReadKernelLog,
}

/// Something that forbids user namespaces, or privileges in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// AppArmor, on Ubuntu 23.10 and later.
    AppArmor,
    /// The switch of Debian's kernels.
    Switch,
    /// A limit of zero.
    Limit,
    /// Root has given up the capability to map itself.
    RootWithoutCapability,
    /// A cause that no file tells of: a seccomp filter, or a chroot.
    Unknown,
}

/// The root directory of the process that was refused something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RootOfProcess {
    /// The root directory is not that of the mount namespace.
    Chroot,
    /// Nobody has looked.
    Unknown,
}

impl Remedy {
    /// Returns what can be done about a refusal.
    pub(crate) fn of(refused: &Refused) -> Self {
        Self::of_refusal(refused, RootOfProcess::Unknown)
    }

    /// Returns what can be done about a refusal that met a process in a chroot.
    pub(crate) fn of_chroot(refused: &Refused) -> Self {
        Self::of_refusal(refused, RootOfProcess::Chroot)
    }

    fn of_refusal(refused: &Refused, root: RootOfProcess) -> Self {
        let clone = match &refused.step {
            SetupStep::Clone(_, namespaces) => Some(*namespaces),
            SetupStep::Mount(_)
            | SetupStep::SetSysctl(..)
            | SetupStep::MakeMountPoint(_)
            | SetupStep::ChangeRoot
            | SetupStep::Other(_) => None,
        };
        let is_mount_of =
            |place: &str| matches!(&refused.step, SetupStep::Mount(path) if path == place);
        match (refused.errno, clone) {
            // clone(2), ERRORS: ENOSPC and EUSERS are about namespaces.
            (Errno::ENOSPC, Some(kinds)) => Self::RaiseNamespaceLimits(kinds),
            (Errno::EUSERS, _) => Self::NestLess,
            (Errno::EAGAIN, _) => Self::PermitProcesses,
            (Errno::EMFILE | Errno::ENFILE, _) => Self::PermitDescriptors,
            (Errno::ENOMEM, _) => Self::FreeMemory,
            // user_namespaces(7): EPERM where the caller's root directory is not that of its mount
            // namespace.
            (Errno::EPERM | Errno::EACCES, Some(_)) if root == RootOfProcess::Chroot => {
                Self::LeaveChroot
            }
            // AppArmor gives the namespace and takes the privileges, so any step may meet it.
            (Errno::EPERM, None) if is_mount_of("/proc") && !apparmor_restricts() => {
                Self::UncoverProc
            }
            // fs/namespace.c, mount_too_revealing: of sysfs the same holds as of procfs.
            (Errno::EPERM, None) if is_mount_of("/sys") && !Path::new("/sys/kernel").exists() => {
                Self::MountSys
            }
            (Errno::EPERM | Errno::EACCES, _) => Self::PermitUserNamespaces(Obstacle::find()),
            (Errno::EINVAL, None)
                if matches!(refused.step, SetupStep::ChangeRoot) && root_is_first_mount() =>
            {
                Self::LeaveInitramfs
            }
            (Errno::ENOSYS, _) if valgrind::runs_this_process() => Self::LeaveValgrind,
            (Errno::ENOSYS | Errno::EINVAL, _) => Self::BootNewerKernel,
            _ => Self::ReadKernelLog,
        }
    }

    /// Returns whether a limit of the system was reached, rather than a permission refused.
    pub(crate) fn is_about_a_limit(self) -> bool {
        match self {
            Self::RaiseNamespaceLimits(_)
            | Self::NestLess
            | Self::PermitProcesses
            | Self::PermitDescriptors
            | Self::FreeMemory => true,
            Self::UncoverProc
            | Self::MountSys
            | Self::LeaveInitramfs
            | Self::LeaveChroot
            | Self::PermitUserNamespaces(_)
            | Self::LeaveValgrind
            | Self::BootNewerKernel
            | Self::ReadKernelLog => false,
        }
    }

    /// Returns the cause and the fix in words, or `None` where too little is known to say them in
    /// passing.
    pub(crate) fn explanation(self) -> Option<String> {
        let text = match self {
            Self::RaiseNamespaceLimits(_) => {
                "a limit on namespaces is reached; see `sysctl user | grep max_.*_namespaces` and raise the one that is low, or run with fewer --test-threads"
            }
            Self::NestLess => {
                "user namespaces are nested 32 deep, which is the most there can be; start the tests from further outside"
            }
            Self::PermitProcesses => {
                "too many processes; raise `ulimit -u` (or the cgroup's pids.max), or run with fewer --test-threads"
            }
            Self::PermitDescriptors => {
                "too few file descriptors; raise `ulimit -n`, or run with fewer --test-threads"
            }
            Self::FreeMemory => "not enough memory; run with fewer --test-threads",
            Self::UncoverProc => {
                "something is mounted over parts of /proc, as in an unprivileged container, and then no fresh one is permitted; start the container with --privileged (or `--security-opt systempaths=unconfined`)"
            }
            Self::MountSys => {
                "there is no sysfs at /sys, and then no fresh one is permitted; mount one (`mount -t sysfs sysfs /sys`), or give the container or sandbox around the tests a /sys"
            }
            Self::LeaveInitramfs => {
                "the root directory is that of the initramfs, from which the kernel changes to no other (pivot_root(2)); move to another root first, as by `switch_root` to a tmpfs with the same files, or run the tests as an ordinary user"
            }
            Self::LeaveChroot => {
                "in a chroot no user namespace is permitted; run the tests from outside of it"
            }
            Self::PermitUserNamespaces(obstacle) => {
                return Some(format!("{}; {}", obstacle.cause(), obstacle.fix()));
            }
            Self::LeaveValgrind => {
                "Valgrind runs this program, and Valgrind does not know the system calls that make namespaces; run the tests without it (a sanitizer finds such errors in them too), or start the program under test with `valgrind` in a trial"
            }
            Self::BootNewerKernel | Self::ReadKernelLog => return None,
        };
        Some(text.to_owned())
    }

    /// Returns the fix alone, as a command where there is one. `scarce` names the kinds of
    /// namespaces of which too few are permitted, if that is known.
    pub(crate) fn fix(self, scarce: &[&str]) -> String {
        let text = match self {
            Self::RaiseNamespaceLimits(kinds) => return raise_limits(kinds, scarce),
            Self::NestLess => "start from further outside: user namespaces nest 32 deep",
            Self::PermitProcesses => "ulimit -u unlimited",
            Self::PermitDescriptors => "ulimit -n 65536",
            Self::FreeMemory => "free some memory",
            Self::UncoverProc => {
                "nothing may be mounted over parts of /proc: start the container with `--privileged` or `--security-opt systempaths=unconfined`"
            }
            Self::MountSys => "mount -t sysfs sysfs /sys",
            Self::LeaveInitramfs => {
                "`switch_root` from the initramfs to another root, or run the tests as an ordinary user"
            }
            Self::LeaveChroot => {
                "leave the chroot, in which no user namespace is permitted, and run the tests from outside of it"
            }
            Self::PermitUserNamespaces(obstacle) => obstacle.fix(),
            Self::LeaveValgrind => "run the tests without Valgrind",
            Self::BootNewerKernel => {
                "boot a kernel of 5.12 or later, built with namespaces (CONFIG_NAMESPACES, CONFIG_USER_NS)"
            }
            Self::ReadKernelLog => "see the kernel's log: `sudo dmesg | tail`",
        };
        text.to_owned()
    }
}

impl Obstacle {
    /// Returns what forbids user namespaces to this process.
    fn find() -> Self {
        let zero = |setting: &str| sysctls::number(setting) == Some(0);
        if geteuid().is_root() && !has_capability(SETFCAP) {
            Self::RootWithoutCapability
        } else if apparmor_restricts() {
            Self::AppArmor
        } else if zero("kernel/unprivileged_userns_clone") {
            Self::Switch
        } else if zero("user/max_user_namespaces") {
            Self::Limit
        } else {
            Self::Unknown
        }
    }

    fn cause(self) -> &'static str {
        match self {
            Self::AppArmor => {
                "AppArmor keeps user namespaces from ordinary users (Ubuntu 23.10 and later)"
            }
            Self::Switch => "user namespaces are switched off for ordinary users",
            Self::Limit => "user namespaces are switched off",
            Self::RootWithoutCapability => {
                "root without the capability CAP_SETFCAP may not map itself to a user of a user namespace (user_namespaces(7))"
            }
            Self::Unknown => {
                "this process may not make user namespaces, as in a container with the default seccomp profile or in a chroot"
            }
        }
    }

    fn fix(self) -> &'static str {
        match self {
            Self::AppArmor => {
                "run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or run the tests as root"
            }
            Self::Switch => "run `sudo sysctl -w kernel.unprivileged_userns_clone=1`",
            Self::Limit => "run `sudo sysctl -w user.max_user_namespaces=15000`",
            Self::RootWithoutCapability => {
                "give the capability back (`--cap-add SETFCAP` of a container), or run the tests as an ordinary user"
            }
            Self::Unknown => {
                "start the container with --privileged (GitHub Actions: `options: --privileged`), or run outside of it"
            }
        }
    }
}

/// Returns whether the root directory is the mount with which the kernel has started, which lies on
/// no other (fs/namespace.c, init_mount_tree), as in an initramfs.
fn root_is_first_mount() -> bool {
    let own = std::process::id().cast_signed();
    let mounts = Procfs::open(Path::new("/proc")).and_then(|procfs| procfs.mounts(own));
    mounts.is_ok_and(|mounts| mounts.iter().any(is_first_root))
}

fn is_first_root(mount: &MountEntry) -> bool {
    mount.target == "/" && mount.id == mount.parent
}

/// Returns what to do about an error number, where its name alone does not say.
#[expect(clippy::wildcard_enum_match_arm, reason = "most names say enough")]
pub(crate) fn hint(errno: Errno) -> Option<String> {
    let hint = match errno {
        // namespaces(7): a limit on namespaces is told as a full device.
        Errno::ENOSPC => "a limit was hit: `user.max_*_namespaces`, or the size of a tmpfs",
        // A user may have no more descriptors on their way between processes than one process may
        // open (unix(7), ETOOMANYREFS).
        Errno::EMFILE | Errno::ETOOMANYREFS => return Some(too_few_descriptors()),
        Errno::EAGAIN => "raise the limit of processes, `ulimit -u`",
        Errno::EROFS => {
            "the host's files are read-only in a sandbox: name a directory that is there, or one below /tmp, /run or the workspace; a node of a lab may have a root filesystem of its own"
        }
        // execve(2), "Limits on size of arguments and environment".
        Errno::E2BIG => {
            "one argument or variable may have 128 KiB, and all together a quarter of `ulimit -s`: pass more by a file or by the standard input"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn too_few_descriptors() -> String {
    let limit = limits::open_files().map_or(0, |(soft, _)| soft);
    format!(
        "this process may open {}, RLIMIT_NOFILE: use fewer nodes, or raise the hard limit: {RAISE_OPEN_FILES}",
        counted(limit, "file")
    )
}

/// Returns whether AppArmor takes the privileges in user namespaces from ordinary users.
pub(crate) fn apparmor_restricts() -> bool {
    sysctls::number("kernel/apparmor_restrict_unprivileged_userns").is_some_and(|it| it != 0)
}

/// Returns the setting that permits as many namespaces of this kind as tests may want.
pub(crate) fn namespace_limit(kind: &str) -> String {
    format!("user.max_{kind}_namespaces=15000")
}

/// Returns the command that raises the limits that are low, or those of all kinds that were asked
/// for.
fn raise_limits(kinds: CloneFlags, scarce: &[&str]) -> String {
    let asked = || {
        let asked = NAMESPACE_KINDS.into_iter();
        asked.filter(|(flag, _)| kinds.contains(*flag))
    };
    let mut low: Vec<&str> = asked().map(|(_, kind)| kind).collect();
    if low.iter().any(|kind| scarce.contains(kind)) {
        low.retain(|kind| scarce.contains(kind));
    }
    let settings: Vec<String> = low.into_iter().map(namespace_limit).collect();
    format!("sudo sysctl -w {}", settings.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::refused::NewProcess;

    fn refused(step: impl Into<SetupStep>, errno: Errno) -> Refused {
        let step = step.into();
        Refused { step, errno }
    }

    fn cloning(kinds: CloneFlags) -> SetupStep {
        SetupStep::Clone(NewProcess::Probe, kinds)
    }

    #[test]
    fn a_limit_is_raised_where_it_is_low() {
        let kinds = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUSER;
        let remedy = Remedy::of(&refused(cloning(kinds), Errno::ENOSPC));
        assert!(remedy.is_about_a_limit());
        assert_eq!(
            remedy.fix(&["net", "ipc"]),
            "sudo sysctl -w user.max_net_namespaces=15000"
        );
        let unknown = remedy.fix(&[]);
        for kind in ["user", "net", "mnt"] {
            assert!(unknown.contains(&namespace_limit(kind)), "{unknown}");
        }
        assert!(!unknown.contains("_pid_"), "{unknown}");
    }

    #[test]
    fn only_the_mount_of_the_kernels_start_lies_on_no_other() {
        let mount = |id, parent, target: &str| MountEntry {
            id,
            parent,
            root: "/".to_owned(),
            target: target.to_owned(),
            kind: "rootfs".to_owned(),
            source: "rootfs".to_owned(),
            options: Vec::new(),
            super_options: Vec::new(),
            propagation: Vec::new(),
        };
        assert!(is_first_root(&mount(1, 1, "/")));
        assert!(!is_first_root(&mount(22, 1, "/")));
        assert!(!is_first_root(&mount(23, 23, "/proc")));
        let sentence = Remedy::LeaveInitramfs.explanation().unwrap();
        assert!(sentence.contains("initramfs") && sentence.contains("switch_root"));
    }

    #[test]
    fn the_kind_of_a_step_decides_and_not_its_words() {
        let words: SetupStep = "clone3 something".into();
        let full = Remedy::of(&refused(words, Errno::ENOSPC));
        assert_eq!(full, Remedy::ReadKernelLog);
        let words: SetupStep = "mount /proc".into();
        let forbidden = Remedy::of(&refused(words, Errno::EPERM));
        assert_ne!(forbidden, Remedy::UncoverProc);
    }

    #[test]
    fn a_chroot_is_left_and_a_covered_proc_uncovered() {
        let users = cloning(CloneFlags::CLONE_NEWUSER);
        let chroot = Remedy::of_chroot(&refused(users.clone(), Errno::EPERM));
        assert_eq!(chroot, Remedy::LeaveChroot);
        let elsewhere = Remedy::of(&refused(users, Errno::EPERM));
        assert!(matches!(elsewhere, Remedy::PermitUserNamespaces(_)));
        let proc = Remedy::of_chroot(&refused(SetupStep::mount("/proc"), Errno::EPERM));
        assert!(proc.fix(&[]).contains("--privileged") || apparmor_restricts());
    }
}
