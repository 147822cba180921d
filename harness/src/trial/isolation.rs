//! The namespaces that a trial gets of its own.
//!
//! Most trials want all of them. A trial that measures the host's network, or that runs a debugger
//! on its own processes, wants to leave some out.

use std::fmt;
use std::ops::BitOr;

use crate::kernel::namespace::CloneFlags;

/// The kinds of namespaces that a trial has of its own; all six unless it says otherwise.
///
/// A trial shares a namespace that it leaves out with the other trials of the run that leave it
/// out: the one of the run's outer sandbox. Only the network is then the host's.
///
/// ```
/// use snowglobe::Isolation;
///
/// let own = Isolation::NET | Isolation::PID;
/// assert!(own.contains(Isolation::NET));
/// assert_eq!(Isolation::ALL.without(own).to_string(), "user+mnt+uts+ipc");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isolation(u8);

/// Kinds of namespaces with their names and the flags of `clone(2)`.
const KINDS: [(&str, Isolation, CloneFlags); 6] = [
    ("user", Isolation::USER, CloneFlags::CLONE_NEWUSER),
    ("net", Isolation::NET, CloneFlags::CLONE_NEWNET),
    ("mnt", Isolation::MNT, CloneFlags::CLONE_NEWNS),
    ("uts", Isolation::UTS, CloneFlags::CLONE_NEWUTS),
    ("ipc", Isolation::IPC, CloneFlags::CLONE_NEWIPC),
    ("pid", Isolation::PID, CloneFlags::CLONE_NEWPID),
];

impl Isolation {
    /// No namespace.
    pub const NONE: Isolation = Isolation(0);
    /// Users and capabilities.
    pub const USER: Isolation = Isolation(1);
    /// Interfaces, addresses, ports, abstract Unix sockets.
    pub const NET: Isolation = Isolation(2);
    /// Mounts: `/tmp`, `/run`, `/dev/shm`, `/proc`, `/sys`.
    pub const MNT: Isolation = Isolation(4);
    /// Hostname.
    pub const UTS: Isolation = Isolation(8);
    /// System V IPC and POSIX message queues.
    pub const IPC: Isolation = Isolation(16);
    /// Processes.
    pub const PID: Isolation = Isolation(32);
    /// All of them: the default.
    pub const ALL: Isolation = Isolation(63);

    /// Returns whether all kinds of `other` are among these.
    pub const fn contains(self, other: Isolation) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns these kinds without those of `other`.
    pub const fn without(self, other: Isolation) -> Isolation {
        Isolation(self.0 & !other.0)
    }

    /// Returns these kinds and those of `other`.
    pub const fn with(self, other: Isolation) -> Isolation {
        Isolation(self.0 | other.0)
    }

    /// Returns the flags by which `clone(2)` makes these namespaces.
    pub(crate) fn clone_flags(self) -> CloneFlags {
        KINDS
            .iter()
            .filter(|(_, kind, _)| self.contains(*kind))
            .fold(CloneFlags::empty(), |flags, (_, _, flag)| flags | *flag)
    }
}

impl BitOr for Isolation {
    type Output = Isolation;

    fn bitor(self, other: Isolation) -> Isolation {
        self.with(other)
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = KINDS
            .iter()
            .filter(|(_, kind, _)| self.contains(*kind))
            .map(|(name, _, _)| *name)
            .collect();
        if names.is_empty() {
            f.write_str("none")
        } else {
            f.write_str(&names.join("+"))
        }
    }
}
