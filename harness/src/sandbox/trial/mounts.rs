//! The sandbox of one trial, made by its own first process from within the outer sandbox.
//!
//! A recipe: one call, one reason a line. It runs for every trial, so each line is paid a
//! thousand times in a thousand trials; where nothing is unusual it leaves the heap alone.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{chdir, sethostname};

use crate::Isolation;
use crate::kernel::errno::errno;
use crate::kernel::{loopback, mount};

/// What a step of the recipe was, and why the kernel refused it.
pub(crate) type Refused = (&'static str, Errno);

/// How much a trial may write to each of its private filesystems.
pub(crate) const TMPFS: &CStr = c"mode=1777,size=1g,nr_inodes=1m";
/// As much for `/run`, which is not for everybody.
pub(crate) const RUN: &CStr = c"mode=755,size=1g,nr_inodes=1m";

/// What the recipe needs to know of one trial.
pub(crate) struct World<'a> {
    pub(crate) isolation: Isolation,
    pub(crate) hostname: &'a str,
    pub(crate) nested: bool,
    /// What the private mounts would hide, and must not.
    pub(crate) hidden: &'a [PathBuf],
    pub(crate) working_dir: &'a Path,
    /// As the outer one is, in a container: the kernel then permits no other.
    pub(crate) sys_read_only: bool,
    /// Whether connections that were closed may take as long as Linux lets them to get rid of what is unsent: in a node, whose links may be
    /// bad. The lab ends that when it ends.
    pub(crate) patient: bool,
}

impl World<'_> {
    /// Makes the calling process' namespaces a place to live in.
    pub(crate) fn furnish(&self) -> Result<(), Refused> {
        let own = |kind| self.isolation.contains(kind);
        if own(Isolation::UTS) {
            sethostname(self.hostname).map_err(|e| ("set the hostname", e))?;
        }
        if own(Isolation::NET) {
            loopback::bring_up().map_err(|e| ("bring up lo", e))?;
        }
        if own(Isolation::MNT) {
            self.mounts()?;
        }
        if own(Isolation::NET) && !self.patient {
            // An orphaned connection to a black hole would keep the namespace for 107 s.
            sysctl(c"/proc/sys/net/ipv4/tcp_orphan_retries", "1")?;
        }
        if own(Isolation::USER) && !self.nested {
            // Most ways to abuse a user namespace begin with making another one.
            sysctl(c"/proc/sys/user/max_user_namespaces", "0")?;
        }
        Ok(())
    }

    fn mounts(&self) -> Result<(), Refused> {
        let own = |kind| self.isolation.contains(kind);
        let hidden = carry(self.hidden.iter().map(PathBuf::as_path))?;
        // Over the outer one, whose process ids mean nothing here.
        if own(Isolation::PID) {
            fresh(c"proc", c"/proc", None, "mount /proc")?;
        }
        // /sys/class/net shows the network namespace that it was mounted from.
        if own(Isolation::NET) {
            match self.sys_read_only {
                true => mount::fresh_read_only_sys().map_err(|e| ("mount /sys", e))?,
                false => fresh(c"sysfs", c"/sys", None, "mount /sys")?,
            }
        }
        if own(Isolation::IPC) {
            fresh(c"mqueue", c"/dev/mqueue", None, "mount /dev/mqueue")?;
        }
        fresh(c"tmpfs", c"/tmp", Some(TMPFS), "mount /tmp")?;
        fresh(c"tmpfs", c"/run", Some(RUN), "mount /run")?;
        fresh(c"tmpfs", c"/dev/shm", Some(TMPFS), "mount /dev/shm")?;
        fresh(c"devpts", c"/dev/pts", Some(DEVPTS), "mount /dev/pts")?;
        if put_back(&hidden)? {
            // The working directory may have been one of those, as it was before.
            chdir(self.working_dir).map_err(|e| ("enter the working directory", e))?;
        }
        Ok(())
    }
}

/// Terminals of one's own, that anyone in the sandbox may open.
pub(crate) const DEVPTS: &CStr = c"newinstance,ptmxmode=0666,mode=620";

fn fresh(
    kind: &CStr,
    target: &CStr,
    data: Option<&CStr>,
    step: &'static str,
) -> Result<(), Refused> {
    mount::fresh_at(kind, target, data).map_err(|e| (step, e))
}

fn sysctl(path: &CStr, value: &str) -> Result<(), Refused> {
    crate::kernel::fd::write_file(path, value).map_err(|e| ("write a sysctl", e))
}

/// Detached copies of what is about to be hidden.
pub(crate) fn carry<'a>(
    paths: impl Iterator<Item = &'a Path>,
) -> Result<Vec<(PathBuf, OwnedFd)>, Refused> {
    paths
        .map(|path| {
            mount::detach_copy(path, true)
                .map(|tree| (path.to_owned(), tree))
                .map_err(|e| ("copy the workspace's mount", e))
        })
        .collect()
}

/// Attaches carried trees where they were; tells whether there were any.
pub(crate) fn put_back(carried: &[(PathBuf, OwnedFd)]) -> Result<bool, Refused> {
    for (path, tree) in carried {
        fs::create_dir_all(path).map_err(|e| ("make way for the workspace", errno(&e)))?;
        mount::attach(tree.as_fd(), path).map_err(|e| ("mount the workspace", e))?;
    }
    Ok(!carried.is_empty())
}
