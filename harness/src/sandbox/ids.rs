//! Whom a trial's root is on the host.

use nix::unistd::{getegid, geteuid};

use super::subordinate::Subordinate;
use crate::kernel::id_map::{IdMap, own_ids};

/// Whom the trials' root is outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// The invoking user and nobody else.
    One {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// The invoking user as root, and the ids that belong to it.
    Subordinate(Subordinate),
    /// A range of ids that belongs to nobody.
    Range(IdMap),
}

/// Where the range begins when started as root, as far from the ranges of `/etc/subuid` as from
/// real users.
const RANGE_START: u32 = 1_500_000_000;
pub(super) const RANGE: u32 = 65_536;

impl Ids {
    /// The best that this process can give. A range that belongs to nobody needs root on the host itself, for only there can the
    /// workspace be shown with other ids.
    pub(crate) fn available() -> Ids {
        if geteuid().is_root() && own_ids().is_ok_and(|ids| ids == u32::MAX) {
            return Ids::Range(IdMap {
                outside: RANGE_START,
                count: RANGE,
            });
        }
        match Subordinate::of_this_user() {
            // Root of a container is not among those for whom there are programs that map.
            Ok(ids) if ids.uid != 0 && Subordinate::can_be_mapped() => Ids::Subordinate(ids),
            _ => Ids::One {
                uid: geteuid().as_raw(),
                gid: getegid().as_raw(),
            },
        }
    }

    /// The mapping that a trial's own user namespace has within the outer one.
    pub(crate) fn within(self) -> IdMap {
        let count = match self {
            Ids::One { .. } => 1,
            Ids::Subordinate(ids) => ids.count,
            Ids::Range(map) => map.count,
        };
        IdMap { outside: 0, count }
    }
}
