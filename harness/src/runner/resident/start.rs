//! What a start of the program does so that a resident runs its trial.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::likeness::{Likeness, TrialStart};
use crate::kernel::errno::{Errno, errno};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::named_channel::{ClaimedName, NamedPeer, ask_whoever_listens};
use crate::kernel::namespace::CloneFlags;
use crate::kernel::namespace::{NamespaceKind, Task};
use crate::kernel::poll::wait_readable;
use crate::kernel::process;
use crate::kernel::process::clone::{Cloned, clone_into};
use crate::runner::nextest;
use crate::runner::setup::{Setup, describe_isolation, enter_kept, is_usual};
use crate::runner::supervisor::NurseryHandle;
use crate::runner::zygote::Outside;
use crate::runner::zygote::resident::{ResidentParts, stay};
use crate::runner::zygote::resident_zygote::READY;
use crate::sandbox::ids::{self, Ids};
use crate::sandbox::outer::Wanted;
use crate::sandbox::paths::Paths;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::resident::{ResidentFacts, ResidentRequest};
use crate::trial::Trial;
use crate::trial::time_scale::stretched;

/// Time for which a start waits for a resident that is busy.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the surroundings of a run in which a resident runs the only trial. The first of the
/// starts that are alike makes the resident.
///
/// Returns nothing where there is none, and none can be made: the start makes its own zygote.
pub(crate) fn enter(start: &TrialStart, trials: &[Option<Trial>]) -> Option<Setup> {
    let [Some(trial)] = trials else {
        return None;
    };
    if !is_usual(trial) || trial.account().is_some() {
        return None;
    }
    // The setup catches signals before anything is forked, so that a Ctrl-C leaves no process
    // behind.
    let setup = Setup::without_sandbox().ok()?;
    let request = ResidentRequest {
        trial: start.trial.clone(),
        supervisor: std::process::id(),
        variables: start.likeness.variables.clone(),
    };
    let taken_on = ask_or_make(&start.likeness, &request.encode(), &[1, 2], || make(start))?;
    let TakenOn {
        channel,
        process,
        facts,
    } = taken_on;
    let ResidentFacts {
        isolation,
        notes,
        host,
    } = facts;
    // The supervisor lets go of its channel before it waits for the end of the trial's processes.
    let end = channel.as_fd().try_clone_to_owned().ok()?;
    Some(Setup {
        nurseries: vec![NurseryHandle::of_resident(process, end.into())],
        first_zygote: Some(channel),
        isolation,
        notes,
        host,
        ..setup
    })
}

/// Channel, process and facts that a start gets from the resident that has taken it on.
pub(super) struct TakenOn {
    pub(super) channel: MessageChannel,
    /// Pidfd of the resident.
    pub(super) process: OwnedFd,
    pub(super) facts: ResidentFacts,
}

/// Asks the resident to take this start on, which is made first if there is none yet. The request
/// goes along with these descriptors, a pidfd of this process, and a proof that this process may
/// ask.
pub(super) fn ask_or_make(
    likeness: &Likeness,
    request: &[u8],
    descriptors: &[RawFd],
    make: impl FnOnce() -> Option<()>,
) -> Option<TakenOn> {
    let answer = match ask(likeness, request, descriptors) {
        Err(Errno::ECONNREFUSED) => {
            make()?;
            ask(likeness, request, descriptors)
        }
        answer => answer,
    };
    answer.ok()
}

fn ask(
    likeness: &Likeness,
    request: &[u8],
    descriptors: &[RawFd],
) -> crate::kernel::Result<TakenOn> {
    let NamedPeer { channel, pid, uid } = ask_whoever_listens(&likeness.name)?;
    // The names are everybody's.
    if !ids::is_root_of_our_trials(uid) {
        return Err(Errno::EPERM);
    }
    let errno = |error| errno(&error);
    let users = Task::Number(pid)
        .namespace(NamespaceKind::User)
        .map_err(errno)?;
    let this = process::pidfd_open(std::process::id().cast_signed()).map_err(errno)?;
    let passed = [descriptors, &[this.as_raw_fd(), users.as_raw_fd()]].concat();
    channel.send_whole_with(request, &passed)?;
    let [answered] = wait_readable([channel.as_fd()], Some(stretched(PATIENCE)))?;
    if !answered {
        return Err(Errno::ETIMEDOUT);
    }
    let (message, passed) = channel.receive_whole_with()?;
    match (ResidentFacts::decode(&message), passed.into_iter().next()) {
        (Some(facts), Some(process)) => Ok(TakenOn {
            channel,
            process,
            facts,
        }),
        // The resident has not taken this start on, or has ended in between.
        (None, _) | (_, None) => Err(Errno::EPIPE),
    }
}

/// Returns whether nextest itself has started this process.
///
/// Whoever has started this process in the place of nextest, as a debugger may, waits perhaps for
/// all that descends from this process, and wants to see it.
pub(super) fn is_child_of_nextest(run: &str) -> bool {
    let owner = nextest::process_of(run);
    let owner = owner.and_then(|owner| process::pid_of(owner.as_fd()));
    owner.is_some_and(|owner| owner.cast_unsigned() == std::os::unix::process::parent_id())
}

/// Makes the resident of starts like this one, unless another start does so at the same time.
fn make(start: &TrialStart) -> Option<()> {
    let TrialStart {
        likeness, argument, ..
    } = start;
    if !is_child_of_nextest(&likeness.run) {
        return None;
    }
    let name = ClaimedName::take(&likeness.name).ok()?;
    let ids = Ids::available();
    let paths = Paths::find();
    let wanted = Wanted {
        paths: &paths,
        ordinary_users: false,
        apart: true,
    };
    let outside = Outside::look(&paths, ids).ok()?;
    let (outer, found) = enter_kept(ids, &wanted, |maker, ids, corrections| {
        // The parent ends here, and the keeper of the sandbox is the parent from then on. This
        // start could not reap a child that outlives it.
        if let Ok(Cloned::Child) = clone_into(CloneFlags::empty()) {
            process::never_return(|| {
                let parts = ResidentParts {
                    name,
                    maker,
                    outside,
                    argument: *argument,
                    descriptors: likeness.descriptors.clone(),
                };
                let setting = |outside: Outside| outside.setting(ids, corrections, 1);
                let _ = stay(parts, setting);
                process::exit_now(0)
            })
        }
    })?;
    let facts = ResidentFacts {
        isolation: describe_isolation(outer.ids),
        notes: outer.notes,
        host: found.unchangeable_settings,
    };
    outer.channel.send_whole_with(&facts.encode(), &[]).ok()?;
    let mut answer = [0; READY.len()];
    let is_ready = outer.channel.receive(&mut answer) == Ok(READY);
    process::wait_for_child_of(outer.first.as_fd());
    is_ready.then_some(())
}
