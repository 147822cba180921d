//! An outer sandbox that outlives the process that made it.
//!
//! nextest starts the test program once for each test. An outer sandbox for each start would cost
//! as much as the trial itself: 2.3 ms of processor time (measured for this project, 2026-11). So
//! the first start of a run leaves its sandbox to those that follow: a process in it, the *keeper*,
//! waits at a name that all starts of the run know, and hands out a pidfd by which they enter.
//!
//! Nothing but the namespaces is kept. Each start forks its own zygote, with its own memory,
//! environment, directory, descriptors and limits, and enters the namespaces with it.
//!
//! The keeper is the init of the outer PID namespace, so nobody in it outlives the keeper. It ends
//! when nextest does, however that ends: a pidfd tells. It also ends when nobody has asked for
//! a while and nobody lives in the sandbox; a later start makes another.

use std::cell::OnceCell;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::first_process::{become_root, die_with_parent};
use super::make::{Outer, OuterOwner, Wanted, make};
use crate::kernel::errno::{Errno, errno};
use crate::kernel::fd::{close_all_but, close_in_copy, replace_standard};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::named_channel::{NamedListener, ask_for_channel};
use crate::kernel::namespace::{self, CloneFlags};
use crate::kernel::namespace::{NamespaceKind, Task};
use crate::kernel::poll::wait_readable;
use crate::kernel::process::signal::{self, kill};
use crate::kernel::process::{self, Pid, chdir, fork_into};
use crate::kernel::thread::show_as;
use crate::sandbox::budgets::INOTIFY_PER_TRIAL;
use crate::sandbox::ids::Ids;
use crate::sandbox::inherited::{Corrections, HostSettings};
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::outer::KeptFacts;
use crate::sandbox::refused::{Doing, Refused};
use crate::trial::time_scale::stretched;

/// The run for which a sandbox is kept.
pub(crate) struct Keeping<'a> {
    /// Text that all starts of the run have in common, and no other run has.
    pub(crate) run: &'a str,
    /// Returns a pidfd of the process with whose end the run ends.
    pub(crate) owner: &'a dyn Fn() -> Option<OwnedFd>,
    /// Number of this start among those that run at a time, if nextest tells.
    pub(crate) slot: Option<u64>,
}

/// Number of starts that share a sandbox at a time, where the kernel counts for the sandbox's owner
/// what their trials have: half of what the usual limit on inotify instances, 128, has room for.
const STARTS_AT_A_TIME: u64 = 64 / INOTIFY_PER_TRIAL;

/// Time for which a start waits for a keeper that is being made, or busy.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time after which a keeper ends that is alone. To make another one costs a few milliseconds.
const IDLE_LIMIT: Duration = Duration::from_secs(2);

/// Enters the sandbox that is kept for the run, and makes it first if this is the first start.
/// `inside` runs there in a process of its own.
///
/// Returns nothing where no sandbox can be kept: the caller makes its own, and learns why that
/// fails, if it does.
pub(crate) fn enter_kept(
    keeping: &Keeping<'_>,
    ids: Ids,
    wanted: &Wanted<'_>,
    inside: impl FnOnce(MessageChannel, Ids, Option<Corrections>),
) -> Option<(Outer, HostSettings)> {
    Keeper::find_or_make(keeping, ids, wanted)?.enter(ids, wanted, inside)
}

/// A process beside a sandbox that is kept: it has the user namespace and the mounts of the
/// sandbox, and is in the PID namespace of whoever is outside.
pub(crate) struct BesideKept {
    /// Channel to the maker of the process.
    pub(crate) maker: MessageChannel,
    pub(crate) ids: Ids,
    pub(crate) corrections: Option<Corrections>,
    /// Things that could not be had, in a sentence each.
    pub(crate) notes: Vec<String>,
    /// Channel to the keeper. The keeper stays while this end is open, and this process ends when
    /// the keeper's end closes.
    pub(crate) keeper: MessageChannel,
    /// A procfs in which the process and its children have numbers. The one of the sandbox shows
    /// those who are in the sandbox.
    pub(crate) procfs: OwnedFd,
}

/// Forks a process beside the sandbox that is kept for the run, which is made first if it is not
/// there yet. `live` runs in that process. Returns a pidfd of the process and the channel to it.
///
/// Returns nothing where no sandbox can be kept.
pub(crate) fn fork_beside_kept(
    keeping: &Keeping<'_>,
    ids: Ids,
    wanted: &Wanted<'_>,
    live: impl FnOnce(BesideKept),
) -> Option<(OwnedFd, MessageChannel)> {
    let Keeper {
        process,
        facts,
        channel,
    } = Keeper::find_or_make(keeping, ids, wanted)?;
    let procfs = OwnedFd::from(File::open("/proc").ok()?);
    let ids = ids_within(&facts, ids);
    let kinds = wanted.namespaces().difference(CloneFlags::CLONE_NEWPID);
    fork_settled(&process, kinds, ids, |maker| {
        live(BesideKept {
            maker,
            ids,
            corrections: facts.corrections.map(Corrections::from_writes),
            notes: facts.notes,
            keeper: channel,
            procfs,
        });
    })
}

/// Returns the name of the sandbox that this start can share: with whoever has the same ids, sees
/// the same host and wants the same of it.
fn name(keeping: &Keeping<'_>, ids: Ids, wanted: &Wanted<'_>) -> Option<String> {
    let Keeping {
        run,
        slot,
        owner: _,
    } = keeping;
    let Wanted {
        paths,
        ordinary_users,
        apart,
    } = wanted;
    let mut hasher = DefaultHasher::new();
    (run, env!("CARGO_PKG_VERSION"), format!("{ids:?}")).hash(&mut hasher);
    (&paths.writable, &paths.readable, ordinary_users, apart).hash(&mut hasher);
    // These directories decide in which files a body of an ordinary user sees the true owners.
    ordinary_users.then_some(&paths.own).hash(&mut hasher);
    if matches!(ids, Ids::Range(_)) {
        // What the kernel counts for each user of the host is counted for the user who owns the
        // sandbox: no more trials at a time share it than have room.
        ((*slot)? / STARTS_AT_A_TIME).hash(&mut hasher);
    }
    // A wrapper around the tests may have changed the root, or entered other namespaces.
    let root = std::fs::metadata("/").ok()?;
    (root.dev(), root.ino()).hash(&mut hasher);
    for kind in [NamespaceKind::Mnt, NamespaceKind::User, NamespaceKind::Pid] {
        let identity = Task::Process.namespace_identity(kind).ok()?;
        identity.hash(&mut hasher);
    }
    Some(format!("snowglobe-{:016x}", hasher.finish()))
}

/// A sandbox that is kept, as a start sees it.
struct Keeper {
    process: OwnedFd,
    facts: KeptFacts,
    channel: MessageChannel,
}

impl Keeper {
    /// Asks for the sandbox, and makes it first if this is the first start of the run.
    fn find_or_make(keeping: &Keeping<'_>, ids: Ids, wanted: &Wanted<'_>) -> Option<Self> {
        let name = name(keeping, ids, wanted)?;
        match Self::find(&name) {
            Ok(keeper) => Some(keeper),
            Err(Errno::ECONNREFUSED) => {
                Self::make(&name, (keeping.owner)()?, ids, wanted)?;
                Self::find(&name).ok()
            }
            Err(_) => None,
        }
    }

    /// Asks for the sandbox of that name.
    ///
    /// # Errors
    /// `ECONNREFUSED` if nobody keeps one.
    fn find(name: &str) -> crate::kernel::Result<Self> {
        let channel = ask_for_channel(name)?;
        let [answered] = wait_readable([channel.as_fd()], Some(stretched(PATIENCE)))?;
        if !answered {
            return Err(Errno::ETIMEDOUT);
        }
        let (message, passed) = channel.receive_whole_with()?;
        match (KeptFacts::decode(&message), passed.into_iter().next()) {
            (Some(facts), Some(process)) => Ok(Self {
                process,
                facts,
                channel,
            }),
            // The keeper has ended in between.
            (None, _) | (_, None) => Err(Errno::EPIPE),
        }
    }

    /// Makes a sandbox with a keeper, unless another start does so at the same time.
    fn make(name: &str, owner: OwnedFd, ids: Ids, wanted: &Wanted<'_>) -> Option<()> {
        let listener = match NamedListener::bind(name) {
            Ok(listener) => listener,
            Err(Errno::EADDRINUSE) => return Some(()),
            Err(_) => return None,
        };
        let inside = |channel: MessageChannel, _, _| keep(&listener, &owner, &channel);
        let settings = OnceCell::new();
        // The settings are read once for all starts, which get them with the other facts.
        let read = || {
            let _ = settings.set(HostSettings::read());
            None
        };
        let made = make(ids, wanted, 0, read, inside).ok()?;
        let HostSettings {
            corrections,
            unchangeable_settings,
        } = settings.into_inner().unwrap_or_default();
        let facts = KeptFacts {
            fewer_ids: made.ids != ids,
            notes: made.notes,
            corrections: corrections.as_ref().map(Corrections::to_writes),
            unchangeable_settings,
        };
        made.channel.send_whole_with(&facts.encode(), &[]).ok()
    }

    /// Forks a process into the sandbox, which runs `inside`.
    fn enter(
        self,
        ids: Ids,
        wanted: &Wanted<'_>,
        inside: impl FnOnce(MessageChannel, Ids, Option<Corrections>),
    ) -> Option<(Outer, HostSettings)> {
        let Self {
            process,
            facts,
            channel,
        } = self;
        // Only a process that is not in the sandbox has to ask the keeper to stay.
        drop(channel);
        let ids = ids_within(&facts, ids);
        let settings = HostSettings {
            corrections: facts.corrections.map(Corrections::from_writes),
            unchangeable_settings: facts.unchangeable_settings,
        };
        let corrections = settings.corrections.clone();
        let (first, channel) = fork_settled(&process, wanted.namespaces(), ids, |theirs| {
            inside(theirs, ids, corrections);
        })?;
        let outer = Outer {
            first,
            channel,
            ids,
            notes: facts.notes,
            owner: OuterOwner::Keeper,
        };
        Some((outer, settings))
    }
}

/// Returns the ids that a sandbox has for a start that wants these.
fn ids_within(facts: &KeptFacts, wanted: Ids) -> Ids {
    match wanted {
        Ids::Subordinate(own) if facts.fewer_ids => own.alone(),
        Ids::Range(_) if facts.fewer_ids => Ids::own_range(),
        ids @ (Ids::One { .. } | Ids::Subordinate(_) | Ids::Range(_)) => ids,
    }
}

/// Forks a process into namespaces of `keeper`, of these kinds. `live` runs there with a channel to
/// the calling process. Returns a pidfd of the process and the other end of the channel.
fn fork_settled(
    keeper: &OwnedFd,
    kinds: CloneFlags,
    ids: Ids,
    live: impl FnOnce(MessageChannel),
) -> Option<(OwnedFd, MessageChannel)> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    // The pidfd is opened before the fork: in another PID namespace this process has no id.
    let supervisor = process::pidfd_open(std::process::id() as i32).ok()?;
    let (ours, theirs) = MessageChannel::pair().ok()?;
    let first = fork_into(keeper, kinds, || {
        // The process sees the supervisor's end only if it does not hold that end too.
        close_in_copy(&[ours.as_fd(), keeper.as_fd()]);
        if settle(ids, &here, &supervisor).is_ok() {
            live(theirs);
        }
    });
    Some((first.ok()?, ours))
}

/// Makes a process that has entered the sandbox one that a trial can be forked from.
fn settle(ids: Ids, here: &Path, supervisor: &OwnedFd) -> Result<(), Refused> {
    die_with_parent(supervisor)?;
    match ids {
        // Whoever has one id inside has it as root from the start.
        Ids::One { .. } | Ids::Subordinate(_) => {}
        Ids::Range(_) => become_root()?,
    }
    // The working directory was left with the mount namespace.
    chdir(here)
        .or_else(|_| chdir("/"))
        .doing("enter the working directory")
}

/// Keeps the sandbox of which the calling process is the init.
fn keep(listener: &NamedListener, owner: &OwnedFd, maker: &MessageChannel) {
    if let Ok((facts, me)) = prepare_to_keep(listener, owner, maker) {
        serve(listener, owner, &facts, &me);
    }
    process::exit_now(0)
}

/// Makes the calling process hold nothing of its maker, and live on. Returns what is to be told to
/// those who ask, and a pidfd of this process.
fn prepare_to_keep(
    listener: &NamedListener,
    owner: &OwnedFd,
    maker: &MessageChannel,
) -> crate::kernel::Result<(Vec<u8>, OwnedFd)> {
    let errno = |error: std::io::Error| errno(&error);
    process::outlive_parent()?;
    // The keeper leaves the process group of the test, which nextest kills where a test takes too
    // long.
    process::lead_session()?;
    // Starts that have entered leave orphans to this process.
    signal::ignore_children()?;
    // nextest takes a test for leaky whose stdout or stderr somebody else holds.
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.map_err(errno)?;
    (0..=2).try_for_each(|standard| replace_standard(null.as_fd(), standard))?;
    // This descriptor is closed before all others: std ends a process that closes one twice.
    drop(null);
    let me = process::pidfd_open(std::process::id().cast_signed()).map_err(errno)?;
    let kept = [
        listener.as_raw_fd(),
        owner.as_raw_fd(),
        maker.as_raw_fd(),
        me.as_raw_fd(),
    ];
    close_all_but(&kept)?;
    chdir("/")?;
    show_as("snowglobe:keep");
    let (facts, _) = maker.receive_whole_with()?;
    // A maker that was killed before it had told them: a later start makes another sandbox.
    let facts = KeptFacts::decode(&facts).ok_or(Errno::EPIPE)?;
    Ok((with_corrections(facts).encode(), me))
}

/// Adds what new network namespaces need, where that does not show on the host, as in a container:
/// each start would find it out in the namespace of its trial.
fn with_corrections(facts: KeptFacts) -> KeptFacts {
    let is_known = facts.corrections.is_some();
    // The namespace is the keeper's until the keeper ends. Whoever enters the sandbox does not
    // enter it.
    if is_known || namespace::unshare(CloneFlags::CLONE_NEWNET).is_err() {
        return facts;
    }
    KeptFacts {
        corrections: Some(Corrections::of_new_namespace().to_writes()),
        ..facts
    }
}

/// Hands out the pidfd, until the run ends or nobody needs the sandbox.
fn serve(listener: &NamedListener, owner: &OwnedFd, facts: &[u8], me: &OwnedFd) {
    // Channels that their askers may keep, to need the sandbox though they are not in it.
    let mut asked: Vec<MessageChannel> = Vec::new();
    loop {
        let fds = [listener.as_fd(), owner.as_fd()];
        let woken = wait_readable(fds, Some(IDLE_LIMIT));
        asked.retain(|channel| !channel.has_ended());
        match woken {
            Ok([_, true]) => return,
            Ok([true, false]) => {
                if let Ok(channel) = listener.accept()
                    // Whoever has gone in between needs no answer.
                    && channel.send_whole_with(facts, &[me.as_raw_fd()]).is_ok()
                {
                    asked.push(channel);
                }
            }
            Ok([false, false]) if asked.is_empty() && is_alone() => return,
            Ok([false, false]) | Err(_) => {}
        }
    }
}

/// Returns whether nobody but the calling process, the init of a PID namespace, is in it.
fn is_alone() -> bool {
    // A signal to all goes to all but the sender and init (kill(2)), and none is sent.
    kill(Pid::from_raw(-1), None) == Err(Errno::ESRCH)
}
