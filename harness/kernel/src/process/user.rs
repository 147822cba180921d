//! The user, the groups and the capabilities of a process.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::seteuid;

use super::signal::Signal;
use super::user_database;

pub use nix::unistd::{Gid, Uid, getegid, geteuid, setgroups, setresgid, setresuid};

/// Returns the name of a user in the user database, if the user has one.
pub fn name_of(user: Uid) -> Option<String> {
    user_database::with_id(user.as_raw()).map(|user| user.name)
}

/// Another effective user of this process, until [`EffectiveUser::end`].
///
/// The kernel counts what belongs to a user namespace for the effective user who made it
/// (kernel/user_namespace.c, `create_user_ns`), so that somebody else than root can be made to own
/// one. This process keeps its capabilities meanwhile.
#[derive(Debug)]
pub struct EffectiveUser {
    before: Uid,
    secure_bits: libc::c_int,
    parent_death: Option<Signal>,
}

impl EffectiveUser {
    /// Makes `user` the effective user of this process, whose only thread calls this.
    ///
    /// # Errors
    /// The process lacks `CAP_SETUID` or `CAP_SETPCAP`.
    pub fn become_user(user: Uid) -> crate::Result<Self> {
        // SAFETY: no pointer is passed.
        let secure_bits = Errno::result(unsafe { libc::prctl(libc::PR_GET_SECUREBITS) })?;
        let parent_death = prctl::get_pdeathsig()?;
        let before = geteuid();
        // Without this flag a change of the effective user from 0 takes the effective capabilities
        // (capabilities(7)), and a host that restricts user namespaces would refuse one to this
        // process.
        set_secure_bits(secure_bits | crate::uapi::SECBIT_NO_SETUID_FIXUP)?;
        if let Err(errno) = seteuid(user) {
            let _ = set_secure_bits(secure_bits);
            return Err(errno);
        }
        let this = Self {
            before,
            secure_bits,
            parent_death,
        };
        this.keep_what_a_change_takes();
        Ok(this)
    }

    /// Makes the earlier user the effective one again.
    ///
    /// # Errors
    /// The kernel refused to go back.
    pub fn end(self) -> crate::Result<()> {
        seteuid(self.before)?;
        set_secure_bits(self.secure_bits)?;
        self.keep_what_a_change_takes();
        Ok(())
    }

    /// Restores what the kernel takes at a change of ids: whether others may look into this
    /// process, and the signal at the death of the parent (kernel/cred.c, `commit_creds`).
    fn keep_what_a_change_takes(&self) {
        let _ = prctl::set_dumpable(true);
        let _ = prctl::set_pdeathsig(self.parent_death);
    }
}

fn set_secure_bits(bits: libc::c_int) -> crate::Result<()> {
    // SAFETY: no pointer is passed.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, bits) }).map(drop)
}

/// A user as the user database has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Id of the user.
    pub uid: u32,
    /// Id of the user's own group.
    pub gid: u32,
}

/// Returns the user of this name, if there is one.
pub fn account_of(name: &str) -> Option<Account> {
    let user = user_database::with_name(name)?;
    Some(Account {
        uid: user.uid,
        gid: user.gid,
    })
}

/// Returns the user with this id. A user whom the database does not know is in the group of the
/// same number, as in most databases.
pub fn account_with(uid: u32) -> Account {
    let gid = user_database::with_id(uid).map_or(uid, |user| user.gid);
    Account { uid, gid }
}

/// Number in `linux/capability.h` of the capability to map root of the own user namespace into
/// another one, since Linux 5.12 (user_namespaces(7)).
pub const SETFCAP: u32 = 31;

/// Returns whether the calling thread has this capability, one of the first 32, in effect.
pub fn has_capability(number: u32) -> bool {
    crate::thread::capabilities().is_ok_and(|sets| sets[0] & (1 << number) != 0)
}

/// Takes all capabilities from the calling thread, for good.
///
/// # Errors
/// The kernel refused the change.
pub fn drop_capabilities() -> crate::Result<()> {
    crate::thread::set_capabilities(&[0; 6])
}
