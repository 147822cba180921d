//! Tells the servers of disks of `sync(2)` and `syncfs(2)`, of which the kernel does not tell them.
//!
//! The init is asked before such a call is made
//! ([`watch`](crate::kernel::process::seccomp::watch)). A disk may be slow, and the init must not
//! wait for it, so that a copy of the init does: it asks the servers, and answers the kernel when
//! all are done.

use std::os::fd::AsRawFd;

use crate::kernel::errno::Errno;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process::seccomp::{Question, WatchedCall};
use crate::kernel::process::{self, ForkResult};
use crate::kernel::procfs::{filesystem_of, network_of};
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::disk::{DiskSync, DiskSynced};

/// Lets a call go on when the disks have done what the call is about.
pub(in crate::sandbox) fn answer(question: Question<'_>, disks: &[MessageChannel]) {
    if disks.is_empty() {
        return question.answer(None);
    }
    match process::fork() {
        Ok(ForkResult::Child) => process::never_return(|| {
            // Without a PID namespace the kernel would let the copy outlive the init.
            let _ = process::die_with_parent();
            let failed = sync(&question, disks);
            question.answer(failed);
        }),
        Ok(ForkResult::Parent { .. }) => {}
        // A program that believes its data to be durable would be the worse lie.
        Err(errno) => question.answer(Some(errno)),
    }
}

/// Tells the disks to make durable what the call is about, and returns the error of the call.
fn sync(question: &Question<'_>, disks: &[MessageChannel]) -> Option<Errno> {
    let sync = match question.call {
        WatchedCall::SyncFilesystem(file) => DiskSync::Filesystem {
            // The kernel refuses what is no descriptor.
            device: filesystem_of(question.pid, file)?,
        },
        WatchedCall::Sync => DiskSync::Machine {
            network: network_of(question.pid)?,
        },
        // The init passes no other call on (`answer_about_call` in `sandbox/trial/init.rs`).
        WatchedCall::NewUserNamespace
        | WatchedCall::Users(_)
        | WatchedCall::Groups(_)
        | WatchedCall::GroupList(_)
        | WatchedCall::Owner(..) => return None,
    };
    let message = sync.encode();
    // All at the same time, for each may be slow.
    let replies: Vec<MessageChannel> = disks
        .iter()
        .filter_map(|disk| {
            let (ours, theirs) = MessageChannel::pair().ok()?;
            disk.send_with(&message, &[theirs.as_raw_fd()]).ok()?;
            Some(ours)
        })
        .collect();
    let failed = replies.iter().any(|reply| {
        let mut buffer = [0; 16];
        // A server that ends with its lab answers no more.
        let heard = reply.receive(&mut buffer).ok();
        heard.and_then(DiskSynced::decode) == Some(DiskSynced::Failed)
    });
    match sync {
        // The call `sync` is always successful (sync(2)).
        DiskSync::Machine { .. } => None,
        DiskSync::Filesystem { .. } => failed.then_some(Errno::EIO),
    }
}
