//! Sandboxes for one attempt: made, used and gone.
//!
//! The ids are mapped as the runner maps them for trials, so that what is permitted here is
//! permitted there.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::kernel::errno::{Errno, errno};
use crate::kernel::namespace::CloneFlags;
use crate::kernel::namespace::{NamespaceKind, Task};
use crate::kernel::process::signal::is_end_pending;
use crate::kernel::process::user::{getegid, geteuid};
use crate::kernel::process::wait_for_child;

use crate::kernel::id_map::{GroupChange, IdMap};
use crate::kernel::loopback;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::mount;
use crate::kernel::process;
use crate::kernel::process::clone::{Cloned, clone_into, single_threaded};
use crate::sandbox::ids::Ids;
use crate::sandbox::namespace_limits::{PATIENCE, RefusedClone, clone_patiently, is_reached};
use crate::sandbox::outer::become_root;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::outer::{OuterReply, OuterStep};
use crate::sandbox::refused::{self, Doing, Refused, SetupStep};
use crate::trial::time_scale::stretched;

/// Runs `attempt` as root of fresh namespaces of these `kinds` (and a user namespace), in a
/// process that ends then.
///
/// A network namespace has its `lo` up, and the mounts of a mount namespace are private.
pub(crate) fn within<E: Into<Refused>>(
    kinds: CloneFlags,
    attempt: impl FnOnce() -> Result<(), E>,
) -> Result<(), Refused> {
    // One of an ordinary user's ids is enough for all that is tried here.
    let range = match Ids::available() {
        Ids::Range(map) => Some(map),
        Ids::One { .. } | Ids::Subordinate(_) => None,
    };
    let own = (geteuid().as_raw(), getegid().as_raw());
    let (ours, theirs) = MessageChannel::pair().doing("make a channel")?;
    let Some(pid) = cloned(kinds | CloneFlags::CLONE_NEWUSER)? else {
        drop(ours);
        let outcome = prepare(range.is_some(), own, kinds, &theirs)
            .and_then(|()| attempt().map_err(Into::into));
        let _ = theirs.send(&OuterReply(outcome).encode());
        process::exit_now(0)
    };
    drop(theirs);
    let mapped = match range {
        None => Ok(()),
        Some(map) => map_from_outside(pid, map).and_then(|()| {
            let mapped = OuterStep::IdsMapped.encode();
            ours.send(&mapped).doing("speak to the probe")
        }),
    };
    let outcome = mapped.and_then(|()| receive_outcome(&ours));
    drop(ours);
    wait_for_child(pid);
    outcome
}

/// Does `work` beside a process that waits in a user namespace whose ids are not mapped yet.
pub(crate) fn beside(work: impl FnOnce(i32) -> Result<(), Refused>) -> Result<(), Refused> {
    let (ours, theirs) = MessageChannel::pair().doing("make a channel")?;
    let Some(pid) = cloned(CloneFlags::CLONE_NEWUSER)? else {
        drop(ours);
        // Returns when the other end is closed.
        let _ = theirs.receive(&mut [0; 8]);
        process::exit_now(0)
    };
    drop(theirs);
    let outcome = work(pid);
    drop(ours);
    wait_for_child(pid);
    outcome
}

/// Maps a range of ids for a process of another user namespace.
pub(crate) fn map_from_outside(pid: i32, map: IdMap) -> Result<(), Refused> {
    map.write(map, pid, GroupChange::Permitted)
        .doing("map the ids")
}

/// Opens the user namespace of a process.
pub(crate) fn user_namespace(pid: i32) -> Result<File, Refused> {
    Task::Number(pid)
        .namespace(NamespaceKind::User)
        .doing("open the user namespace")
}

/// Clones a process. Returns its id, or `None` in the new process itself.
fn cloned(kinds: CloneFlags) -> Result<Option<i32>, Refused> {
    if !single_threaded() {
        return Err(Errno::EINVAL).doing("probe while other threads run");
    }
    /// Milliseconds that all probes have waited, of which there are no more than [`PATIENCE`].
    static WAITED: AtomicU64 = AtomicU64::new(0);
    let waited = Duration::from_millis(WAITED.load(Ordering::Relaxed));
    let patience = stretched(PATIENCE).saturating_sub(waited);
    let begin = Instant::now();
    let waits = |refused: RefusedClone| {
        is_reached(refused.errno, kinds) && refused.since < patience && !is_end_pending()
    };
    let cloned = clone_patiently(waits, || clone_into(kinds).map_err(|e| errno(&e)));
    WAITED.fetch_add(begin.elapsed().as_millis() as u64, Ordering::Relaxed);
    match cloned.doing(SetupStep::Clone(refused::NewProcess::Probe, kinds))? {
        Cloned::Child => Ok(None),
        Cloned::Parent { pid, .. } => Ok(Some(pid)),
    }
}

/// Does the first steps of the new process.
fn prepare(
    mapped_from_outside: bool,
    (uid, gid): (u32, u32),
    kinds: CloneFlags,
    channel: &MessageChannel,
) -> Result<(), Refused> {
    if mapped_from_outside {
        let mut buffer = [0; 16];
        let message = channel.receive(&mut buffer).doing("await the ids")?;
        if OuterStep::decode(message) != Some(OuterStep::IdsMapped) {
            // The maker was refused the mapping, and knows why.
            process::exit_now(1);
        }
        become_root()?;
    } else {
        let map = |outside| IdMap { outside, count: 1 };
        map(uid)
            .write(map(gid), "self", GroupChange::Denied)
            .doing("map the ids")?;
    }
    if kinds.contains(CloneFlags::CLONE_NEWNET) {
        loopback::bring_up().doing("bring up lo")?;
    }
    if kinds.contains(CloneFlags::CLONE_NEWNS) {
        mount::make_private().doing("make the mounts private")?;
    }
    Ok(())
}

fn receive_outcome(channel: &MessageChannel) -> Result<(), Refused> {
    let step = "hear from the probe";
    let mut buffer = [0; OuterReply::LONGEST];
    let message = channel.receive(&mut buffer).doing(step)?;
    match OuterReply::decode(message) {
        Some(OuterReply(outcome)) => outcome,
        None => Err(Errno::EPIPE).doing(step),
    }
}
