//! Users by name and by id.
//!
//! A program that contains glibc must not ask glibc for users: glibc would load the modules that
//! `/etc/nsswitch.conf` names, which belong to the glibc of the system (nsswitch.conf(5)). With
//! `passwd: files systemd` such a program died of SIGSEGV as soon as it asked for a user who is not
//! in `/etc/passwd` (Debian 12, 2026-11-30). So such a program knows only the users of that file.

#[cfg(any(target_feature = "crt-static", test))]
mod file;

/// A user as the user database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownUser {
    pub(super) name: String,
    pub(super) uid: u32,
    /// Id of the user's own group.
    pub(super) gid: u32,
}

#[cfg(target_feature = "crt-static")]
pub(super) use file::{with_id, with_name};

#[cfg(not(target_feature = "crt-static"))]
pub(super) use asked::{with_id, with_name};

#[cfg(not(target_feature = "crt-static"))]
mod asked {
    use nix::unistd::{Uid, User};

    use super::KnownUser;

    /// Returns the user of this name, if there is one.
    pub(in crate::process) fn with_name(name: &str) -> Option<KnownUser> {
        User::from_name(name).ok().flatten().map(known)
    }

    /// Returns the user with this id, if there is one.
    pub(in crate::process) fn with_id(uid: u32) -> Option<KnownUser> {
        User::from_uid(Uid::from_raw(uid)).ok().flatten().map(known)
    }

    fn known(user: User) -> KnownUser {
        KnownUser {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }
    }
}
