//! The user and the groups of a process.

use nix::unistd::User;
pub use nix::unistd::{Gid, Uid, getegid, geteuid, setgroups, setresgid, setresuid};

/// Returns the name of a user in the user database, if the user has one.
pub fn name_of(user: Uid) -> Option<String> {
    User::from_uid(user).ok().flatten().map(|user| user.name)
}
