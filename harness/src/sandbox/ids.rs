//! The host's user and group ids to which the ids inside a trial are mapped.
//!
//! Root of a trial must have no privilege on the host, and a daemon under test may want to become
//! another user. How many ids a trial can have for that depends on who starts the run: the kernel
//! lets an ordinary user map one id, setuid programs map those that belong to the user, and root
//! maps what it likes (`user_namespaces(7)`).

use crate::kernel::process::user::{getegid, geteuid, has_capability};

use super::subordinate::Subordinate;
use crate::kernel::id_map::{IdMap, own_ids};

/// Ids of the host that the trials of a run have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// The invoking user and nobody else.
    One {
        /// User id on the host to which root of a trial is mapped.
        uid: u32,
        /// Group id on the host to which root of a trial is mapped.
        gid: u32,
    },
    /// The invoking user as root, and the ids that belong to it.
    Subordinate(Subordinate),
    /// A range of ids that belongs to nobody.
    Range(IdMap),
}

/// First id of the range for runs that root starts: far from real users, and beyond the ranges
/// of `/etc/subuid`, which end at 600,100,000 (`login.defs(5)`, SUB_UID_MAX).
const RANGE_START: u32 = 1_500_000_000;

/// Number of ids in a range, enough for all 16-bit ids.
pub(super) const RANGE: u32 = 65_536;

/// Capabilities that root needs for a range that belongs to nobody, by their numbers
/// (`linux/capability.h`): to write a mapping of other ids (user_namespaces(7)) into a file of
/// another user, to open the user namespace of a process with other ids (ptrace(2), "Ptrace access
/// mode checking"), and to make id-mapped mounts (mount_setattr(2)). An ordinary user needs none.
pub(crate) const CAPABILITIES_FOR_A_RANGE: [(u32, &str); 5] = [
    (1, "CAP_DAC_OVERRIDE"),
    (6, "CAP_SETGID"),
    (7, "CAP_SETUID"),
    (19, "CAP_SYS_PTRACE"),
    (21, "CAP_SYS_ADMIN"),
];

impl Ids {
    /// Returns the largest set of ids that this process can give to trials.
    pub(crate) fn available() -> Ids {
        // Only root of the host may use a range that belongs to nobody, since only root of the host
        // can show the workspace with other ids. Root of a user namespace has fewer than all ids.
        // A container's root may lack capabilities.
        let is_able = || {
            let mut needed = CAPABILITIES_FOR_A_RANGE.iter();
            needed.all(|(number, _)| has_capability(*number))
        };
        if is_root_of_the_host() && is_able() {
            return Ids::Range(IdMap {
                outside: RANGE_START,
                count: RANGE,
            });
        }
        match Subordinate::of_this_user() {
            // newuidmap and newgidmap serve ordinary users, not the root user of a container.
            Ok(ids) if ids.uid != 0 && Subordinate::can_be_mapped() => Ids::Subordinate(ids),
            _ => Ids::One {
                uid: geteuid().as_raw(),
                gid: getegid().as_raw(),
            },
        }
    }

    /// Returns a range for root whose workspace cannot be shown with other ids: all ids are those
    /// of the host, and root is without its rights there.
    pub(crate) fn own_range() -> Ids {
        Ids::Range(IdMap {
            outside: 0,
            count: RANGE,
        })
    }

    /// Returns whether root of a trial has the id of this process's root, by which files of the
    /// kernel let the host's root in.
    pub(crate) fn root_is_hosts_root(self) -> bool {
        match self {
            Ids::One { uid, .. } => uid == 0,
            Ids::Subordinate(_) => false,
            Ids::Range(map) => map.outside == 0,
        }
    }

    /// Returns the mapping that a trial's own user namespace has within the outer one.
    pub(crate) fn within(self) -> IdMap {
        let count = match self {
            Ids::One { .. } => 1,
            Ids::Subordinate(ids) => ids.count,
            Ids::Range(map) => map.count,
        };
        IdMap { outside: 0, count }
    }
}

/// Returns whether a process of this user can be root of a trial of the calling process' user.
pub(crate) fn is_root_of_our_trials(uid: u32) -> bool {
    let own = geteuid();
    uid == own.as_raw() || (own.is_root() && uid == RANGE_START)
}

/// Returns whether this process is root of the host, and not of a user namespace only.
pub(crate) fn is_root_of_the_host() -> bool {
    geteuid().is_root() && own_ids().is_ok_and(|ids| ids == u32::MAX)
}
