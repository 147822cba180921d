//! Calls that the kernel is about to refuse to processes of a trial, since the trial lacks
//! something.
//!
//! The errno does not tell what is missing. The init is asked before each such call, tells the
//! supervisor what it is, and lets the kernel answer.

use std::cell::RefCell;
use std::os::fd::OwnedFd;

use crate::kernel::errno::Errno;
use crate::kernel::id_map::{IdKind, is_mapped};
use crate::kernel::process::seccomp::{Question, WatchedCall};
use crate::kernel::procfs::text_of;
use crate::sandbox::protocol::trial::{Denial, DeniedThing};

/// The init's end of the watch over such calls.
pub(crate) struct DenialWatch<'a> {
    /// Descriptor on which the kernel asks.
    pub(crate) fd: &'a OwnedFd,
    /// Whether processes of the trial may make user namespaces.
    pub(crate) may_make_users: bool,
    /// Denials that were told already.
    pub(crate) told: RefCell<Vec<Denial>>,
}

/// Number of denials of a trial that are told.
const MOST: usize = 5;

impl DenialWatch<'_> {
    /// Answers a question, and returns what is denied and was not told before.
    pub(super) fn answer(&self, question: Question<'_>) -> Option<Denial> {
        let wanted = self.lacking(question.pid, question.call);
        let denial = wanted.map(|wanted| {
            let comm = format!("/proc/{}/comm", question.pid);
            Denial {
                pid: question.pid,
                program: text_of(comm).unwrap_or_default().trim_end().to_owned(),
                wanted,
            }
        });
        // The limit of zero namespaces would say "no space left on device" (namespaces(7)).
        let refusal = (wanted == Some(DeniedThing::UserNamespace)).then_some(Errno::EPERM);
        question.answer(refusal);
        let mut told = self.told.borrow_mut();
        let new = denial.filter(|denial| told.len() < MOST && !told.contains(denial))?;
        told.push(new.clone());
        Some(new)
    }

    /// Returns what the call of a process needs and the trial has not.
    fn lacking(&self, pid: i32, call: WatchedCall) -> Option<DeniedThing> {
        let unmapped = |kind, ids: &[u32]| {
            // This id stands for no change (setresuid(2), chown(2)).
            let changes = ids.iter().copied().filter(|id| *id != u32::MAX);
            // A process that is gone needs nothing.
            let mut lacking = changes.filter(|id| !is_mapped(pid, kind, *id).unwrap_or(true));
            lacking.next()
        };
        match call {
            WatchedCall::NewUserNamespace => {
                (!self.may_make_users).then_some(DeniedThing::UserNamespace)
            }
            WatchedCall::Users(ids) => unmapped(IdKind::User, &ids).map(DeniedThing::User),
            WatchedCall::Groups(ids) => unmapped(IdKind::Group, &ids).map(DeniedThing::Group),
            WatchedCall::Owner(uid, gid) => unmapped(IdKind::User, &[uid])
                .map(DeniedThing::Owner)
                .or_else(|| unmapped(IdKind::Group, &[gid]).map(DeniedThing::OwnerGroup)),
            WatchedCall::GroupList(0) | WatchedCall::Sync | WatchedCall::SyncFilesystem(_) => None,
            WatchedCall::GroupList(_) => {
                let rule = std::fs::read_to_string(format!("/proc/{pid}/setgroups"));
                rule.is_ok_and(|rule| rule.trim() == "deny")
                    .then_some(DeniedThing::Groups)
            }
        }
    }
}
