//! Namespaces by descriptors: opening, entering and leaving them, and their relations to each
//! other.
//!
//! A namespace has no name. A descriptor of a file in `/proc/PID/ns`, or a pidfd, stands for it.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
pub use nix::sched::CloneFlags;
pub use nix::unistd::sethostname;

use crate::Result;
use crate::fixed_str::FixedStr;

/// A kind of namespace in which a task is (`namespaces(7)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceKind {
    /// Network devices, stacks and ports.
    Net,
    /// Mounts.
    Mnt,
    /// Hostname and NIS domain name.
    Uts,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// Numbers of processes.
    Pid,
    /// Numbers of processes, for children.
    PidForChildren,
    /// Ids of users and groups, and capabilities.
    User,
    /// Root directory of control groups.
    Cgroup,
    /// Clocks since the boot, for children.
    TimeForChildren,
}

impl NamespaceKind {
    /// Returns the name of the kind in `/proc/PID/ns`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Mnt => "mnt",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Pid => "pid",
            Self::PidForChildren => "pid_for_children",
            Self::User => "user",
            Self::Cgroup => "cgroup",
            Self::TimeForChildren => "time_for_children",
        }
    }
}

/// A task in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// The calling thread. Threads of one process may be in different namespaces (`setns(2)`).
    Thread,
    /// The first thread of the calling process.
    Process,
    /// The process or thread that has this number in the procfs at `/proc`.
    Number(i32),
}

impl Task {
    fn file(self, kind: NamespaceKind) -> FixedStr<64> {
        let name = kind.name();
        match self {
            Self::Thread => FixedStr::of(format_args!("/proc/thread-self/ns/{name}")),
            Self::Process => FixedStr::of(format_args!("/proc/self/ns/{name}")),
            Self::Number(number) => FixedStr::of(format_args!("/proc/{number}/ns/{name}")),
        }
    }

    /// Opens a namespace in which the task is.
    ///
    /// # Errors
    /// There is no procfs at `/proc` that knows the task, or the caller may not look at it.
    pub fn namespace(self, kind: NamespaceKind) -> io::Result<File> {
        File::open(&*self.file(kind))
    }

    /// Returns the numbers of the device and of the inode by which a namespace of the task is known
    /// (`namespaces(7)`).
    ///
    /// # Errors
    /// As [`namespace`](Self::namespace).
    pub fn namespace_identity(self, kind: NamespaceKind) -> io::Result<(u64, u64)> {
        // Files on different devices may have the same inode number.
        let found = fs::metadata(&*self.file(kind))?;
        Ok((found.dev(), found.ino()))
    }
}

/// Moves the calling thread into a namespace, or into those of a process that `kinds` name if the
/// descriptor is a pidfd (`setns(2)`).
///
/// # Errors
/// The thread lacks `CAP_SYS_ADMIN` in the namespace, or shares what it must not share.
pub fn enter(namespace: BorrowedFd<'_>, kinds: CloneFlags) -> Result<()> {
    nix::sched::setns(namespace, kinds)
}

/// Gives the calling thread namespaces of its own, or makes it share less with other threads
/// (`unshare(2)`).
///
/// # Errors
/// The kernel permits no more namespaces, or the thread lacks `CAP_SYS_ADMIN`.
pub fn unshare(kinds: CloneFlags) -> Result<()> {
    nix::sched::unshare(kinds)
}

/// Returns the user namespace that owns a namespace.
///
/// # Errors
/// The owner is not within sight of the caller's user namespace (`ioctl_ns(2)`).
pub fn owner_of(namespace: BorrowedFd<'_>) -> Result<OwnedFd> {
    relative(namespace, crate::uapi::NS_GET_USERNS)
}

/// Returns the parent of a user or PID namespace.
///
/// # Errors
/// The parent is not within sight of the caller's namespace, or there is none.
pub fn parent_of(namespace: BorrowedFd<'_>) -> Result<OwnedFd> {
    relative(namespace, crate::uapi::NS_GET_PARENT)
}

fn relative(namespace: BorrowedFd<'_>, request: libc::Ioctl) -> Result<OwnedFd> {
    // SAFETY: these requests take no argument.
    // The kernel opens the new descriptor close-on-exec (fs/nsfs.c, open_related_ns).
    let fd = Errno::result(unsafe { libc::ioctl(namespace.as_raw_fd(), request) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
