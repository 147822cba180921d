//! The outer sandbox as its maker sees it: cloning the first process, and what only the maker may
//! do for that process.

use std::mem;
use std::os::fd::OwnedFd;

use crate::kernel::errno::{Errno, errno};
use crate::kernel::namespace::CloneFlags;
use crate::kernel::process::signal::{Signal, is_end_pending};
use crate::kernel::process::user::{EffectiveUser, Uid};
use crate::kernel::process::wait_for_child;

use super::first_process::begin;
use super::idmapped_root::{HandedOver, hand_over};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::process::clone::{Cloned, clone_into};
use crate::sandbox::ids::Ids;
use crate::sandbox::inherited::Corrections;
use crate::sandbox::namespace_limits::{self, RefusedClone, clone_patiently, is_reached};
use crate::sandbox::paths::Paths;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::outer::{OuterReply, OuterStep};
use crate::sandbox::refused::{self, Doing, Refused, SetupStep};
use crate::trial::time_scale::stretched;

/// Namespaces of every outer sandbox. The network stays the host's: trials have their own.
const NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWUSER
    .union(CloneFlags::CLONE_NEWNS)
    .union(CloneFlags::CLONE_NEWPID);

/// Namespaces that are the host's in an outer sandbox whose trials all have their own: a capability
/// in the sandbox's user namespace gives no right in the host's (`user_namespaces(7)`).
const SHARED_BY_TRIALS: CloneFlags = CloneFlags::CLONE_NEWIPC.union(CloneFlags::CLONE_NEWUTS);

/// The outer sandbox as its maker sees it.
pub(crate) struct Outer {
    /// Pidfd of the first process: readable when that is gone. Killing that process kills
    /// everything inside.
    pub(crate) first: OwnedFd,
    /// Channel to the first process.
    pub(crate) channel: MessageChannel,
    /// Ids of the trials outside: fewer than were asked for where these could not be mapped.
    pub(crate) ids: Ids,
    /// Things that could not be had, in a sentence each.
    pub(crate) notes: Vec<String>,
    pub(crate) owner: OuterOwner,
}

/// The owner of an outer sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OuterOwner {
    /// This start of a program has made the sandbox, and ends it.
    ThisStart,
    /// The keeper has it for all starts of one nextest run. The process that a start knows is not
    /// the first one of the sandbox.
    Keeper,
}

/// Things that trials of a run want of the outer sandbox.
pub(crate) struct Wanted<'a> {
    /// Directories that keep their place.
    pub(crate) paths: &'a Paths,
    /// Whether the body of some trial is an ordinary user.
    pub(crate) ordinary_users: bool,
    /// Whether every trial has all namespaces for itself. Such trials share nothing of the outer
    /// sandbox but its files, and cover what else is mounted there.
    pub(crate) apart: bool,
}

impl Wanted<'_> {
    /// Returns the namespaces that the outer sandbox has for itself.
    pub(super) fn namespaces(&self) -> CloneFlags {
        if self.apart {
            NAMESPACES
        } else {
            NAMESPACES | SHARED_BY_TRIALS
        }
    }
}

/// Makes an outer sandbox and runs `inside` as its first process. As root, each `owner` of a run
/// stands for a user of the host's of its own, to whom the sandbox belongs.
///
/// `corrections` finds out what new network namespaces get in the place of what they inherit. It
/// runs in this process, while the first process puts its mounts together and this one would wait.
///
/// Must be called while this process has a single thread.
pub(crate) fn make(
    mut ids: Ids,
    wanted: &Wanted<'_>,
    owner: u32,
    corrections: impl FnOnce() -> Option<Corrections>,
    inside: impl FnOnce(MessageChannel, Ids, Option<Corrections>),
) -> Result<Outer, Refused> {
    let namespaces = wanted.namespaces();
    // Opened before the clone: in the new PID namespace this process has no id.
    let supervisor = process::pidfd_open(std::process::id() as i32).doing("open a pidfd")?;
    let mut notes = Vec::new();
    loop {
        let (ours, theirs) = MessageChannel::pair().doing("make a channel")?;
        let step = || SetupStep::Clone(refused::NewProcess::OuterSandbox, namespaces);
        // An ordinary user cannot be somebody else. Root that may not either is counted as root.
        let owner = match ids {
            Ids::Range(_) => EffectiveUser::become_user(user_of_this_run(owner)).ok(),
            Ids::One { .. } | Ids::Subordinate(_) => None,
        };
        let mut is_told = false;
        let waits = |refused: RefusedClone| {
            let RefusedClone { errno, since, .. } = refused;
            if !is_reached(errno, namespaces) {
                return false;
            }
            if namespace_limits::is_long(since) && !mem::replace(&mut is_told, true) {
                let step = step();
                let note = namespace_limits::wait_note(&Refused { step, errno });
                eprintln!("note: {note}");
            }
            // A run blocks the signals that end it before the sandbox is made, and reads these
            // signals only afterwards.
            since < stretched(namespace_limits::PATIENCE) && !is_end_pending()
        };
        let cloned = clone_patiently(waits, || clone_into(namespaces).map_err(|e| errno(&e)));
        if let Some(owner) = owner
            && !matches!(cloned, Ok(Cloned::Child))
        {
            owner.end().doing("be root again")?;
        }
        match cloned.doing(step())? {
            Cloned::Child => process::never_return(|| {
                // The first process sees the supervisor's end only if it does not hold that end
                // too.
                drop(ours);
                begin(ids, wanted, theirs, &supervisor, inside);
            }),
            Cloned::Parent { pid, pidfd } => {
                drop(theirs);
                let given = give_ids(ids, pid, wanted, &ours, &mut notes)?;
                if given == ids {
                    let writes = corrections().as_ref().map(Corrections::to_writes);
                    // A first process that is gone by now has said why, or was killed.
                    let _ = ours.send_whole_with(&OuterStep::Corrections(writes).encode(), &[]);
                    await_ready(&ours)?;
                    return Ok(Outer {
                        first: pidfd,
                        channel: ours,
                        ids,
                        notes,
                        owner: OuterOwner::ThisStart,
                    });
                }
                // Either of uid_map and gid_map can be written once (user_namespaces(7)), and one
                // of them may have been. So another process gets the ids that can be mapped.
                let _ = process::pidfd_kill(&pidfd, Signal::SIGKILL as i32);
                wait_for_child(pid);
                ids = given;
            }
        }
    }
}

/// Returns a user of the host who owns user namespaces of this run: nobody, and not the same for
/// any other run, nor for another `number`.
///
/// inotify instances, namespaces and the like are counted for the owner, and limited
/// (`namespaces(7)`, `inotify(7)`; kernel/ucount.c). Runs that root starts, and the daemons of the
/// host, do not take them from each other so.
fn user_of_this_run(number: u32) -> Uid {
    /// Beyond the ids of trials: see [`Ids::available`].
    const FIRST: u32 = 1_510_000_000;
    /// Number of possible process ids (`PID_MAX_LIMIT` in linux/threads.h).
    const RUNS: u32 = 1 << 22;
    Uid::from_raw(FIRST + number * RUNS + std::process::id())
}

/// Gives the first process the ids that it waits for. Returns them, or those that another process
/// can have.
fn give_ids(
    ids: Ids,
    pid: i32,
    wanted: &Wanted<'_>,
    channel: &MessageChannel,
    notes: &mut Vec<String>,
) -> Result<Ids, Refused> {
    match ids {
        Ids::One { .. } => {}
        Ids::Subordinate(own) => {
            if let Err(unmapped) = own.map(pid) {
                notes.push(format!(
                    "one id is mapped instead of {}: {unmapped}",
                    own.count
                ));
                return Ok(own.alone());
            }
            let told = channel.send(&OuterStep::IdsMapped.encode());
            told.doing("speak to the outer sandbox")?;
        }
        Ids::Range(map) => {
            if let HandedOver::NotMappable(path) = hand_over(pid, map, wanted, channel)? {
                notes.push(format!(
                    "root of the trials is root outside as well, without its rights: the filesystem of {} knows no id-mapped mounts",
                    path.display()
                ));
                return Ok(Ids::own_range());
            }
        }
    }
    Ok(ids)
}

/// Waits until the first process is ready.
fn await_ready(channel: &MessageChannel) -> Result<(), Refused> {
    // A first process that is killed closes its end, and the wait is over.
    let mut buffer = [0; OuterReply::LONGEST];
    let step = "hear from the outer sandbox";
    let reply = channel.receive(&mut buffer).doing(step)?;
    match OuterReply::decode(reply) {
        Some(OuterReply(outcome)) => outcome,
        // An empty message is the end of a process that said nothing: it was killed.
        None if reply.is_empty() => Err(Errno::EPIPE).doing(step),
        None => Err(Errno::EPROTO).doing(step),
    }
}
