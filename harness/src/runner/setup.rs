//! Everything that has to be there before the first trial of a run starts.
//!
//! The order matters: signals are caught before the first fork, so that no process is left behind
//! by a Ctrl-C; and the outer sandbox is made before anything else of the run, while this process
//! is small and has a single thread.

use std::cell::{Cell, OnceCell};
use std::path::Path;

use snowglobe_text::counted_are;

use super::error::{RunError, explain};
use super::nextest;
use super::supervisor::{NurseryHandle, Signals};
use super::zygote::{Outside, Setting, Zygote, nursery};
use crate::Isolation;
use crate::kernel::fd::close_in_copy;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::process::signal::{PASSED_ON, SignalFd};
use crate::kernel::thread::FirstThread;
use crate::sandbox::ids::{Ids, is_root_of_the_host};
use crate::sandbox::inherited::{Corrections, HostSettings};
use crate::sandbox::outer::{self, Outer, Wanted};
use crate::sandbox::paths::Paths;
use crate::sandbox::refused::{Doing, Refused};
use crate::sandbox::trial::body;
use crate::sandbox::trial::program::ProgramBody;
use crate::trial::Trial;

/// The division of a run among outer sandboxes.
pub(crate) struct Division {
    /// There is one trial, and the only nursery is its zygote.
    pub(crate) single: bool,
    /// Number of outer sandboxes, each with a nursery.
    pub(crate) nurseries: usize,
    /// Number of shares of process numbers.
    pub(crate) shares: usize,
}

/// The surroundings of a run.
pub(crate) struct Setup {
    pub(crate) signals: Signals,
    /// None if no trial is to run.
    pub(crate) nurseries: Vec<NurseryHandle>,
    /// Channel to the only nursery, if the nursery is the zygote of the only trial.
    pub(crate) first_zygote: Option<MessageChannel>,
    /// Sentence on the isolation that trials get; empty if none is to run.
    pub(crate) isolation: String,
    /// Remarks on what this system cannot do.
    pub(crate) notes: Vec<String>,
    /// Settings of the host that trials cannot change, if there are unusual ones.
    pub(crate) host: Option<String>,
}

impl Setup {
    /// Makes the surroundings of a run in which no trial runs. Such runs need no permission of the
    /// system.
    ///
    /// # Errors
    /// Fails if the signals cannot be caught.
    pub(crate) fn without_sandbox() -> Result<Self, RunError> {
        let signals = Signals::catch().doing("catch signals");
        Ok(Self {
            signals: signals.map_err(|refused| explain(&refused))?,
            nurseries: Vec::new(),
            first_zygote: None,
            isolation: String::new(),
            notes: Vec::new(),
            host: None,
        })
    }

    /// Makes the outer sandboxes, each with a nursery in it.
    ///
    /// # Errors
    /// Fails if the system refuses a step of making the outer sandbox.
    pub(crate) fn with_sandbox(
        trials: &mut [Option<Trial>],
        division: &Division,
    ) -> Result<Self, RunError> {
        let Division {
            single,
            nurseries,
            shares,
        } = *division;
        let mut setup = Self::without_sandbox()?;
        // Whatever reads files of the host is done before the clone: inside, some are hidden.
        let ids = Ids::available();
        let paths = Paths::find();
        let wanted = Wanted {
            paths: &paths,
            ordinary_users: trials
                .iter()
                .flatten()
                .any(|trial| trial.account().is_some()),
            apart: trials.iter().flatten().all(is_usual),
        };
        let settings = OnceCell::new();
        for owner in 0..nurseries {
            let outside = Outside::look(&paths, ids).map_err(|refused| explain(&refused))?;
            let earlier = &setup.nurseries;
            let inside = |channel, ids: Ids, corrections| {
                // A nursery that held the channel of another would keep that one from noticing that
                // the supervisor is done with it.
                let earlier = earlier.iter().flat_map(NurseryHandle::descriptors);
                close_in_copy(&earlier.collect::<Vec<_>>());
                let setting = outside.setting(ids, corrections, shares);
                let zygote = Zygote::new(trials, setting);
                if single {
                    nursery::live_as_zygote(zygote, &channel)
                }
                nursery::live(zygote, channel)
            };
            let read = || {
                let found = settings.get_or_init(HostSettings::read);
                found.corrections.clone()
            };
            let request = OuterRequest {
                ids,
                wanted: &wanted,
                single,
                owner: owner as u32,
            };
            let (outer, found) = enter_or_make(&request, read, inside)?;
            if let Some(found) = found {
                let _ = settings.set(found);
            }
            setup.add(outer, single);
        }
        setup.host = settings
            .into_inner()
            .and_then(|found| found.unchangeable_settings);
        Ok(setup)
    }

    /// Adds an outer sandbox. All of them are alike.
    fn add(&mut self, outer: Outer, single: bool) {
        let orders = if single {
            self.first_zygote = Some(outer.channel);
            None
        } else {
            Some(outer.channel)
        };
        self.nurseries
            .push(NurseryHandle::new(outer.first, orders, outer.owner));
        self.isolation = describe_isolation(outer.ids);
        self.notes = outer.notes;
    }
}

impl Outside {
    pub(super) fn look(paths: &Paths, ids: Ids) -> Result<Self, Refused> {
        body::remember_supervisor(std::process::id());
        let may_guard_host = match ids {
            // Only root of the host has a range.
            Ids::Range(_) => true,
            Ids::Subordinate(_) => false,
            Ids::One { .. } => is_root_of_the_host(),
        };
        Ok(Self {
            supervisor: process::pidfd_open(std::process::id() as i32).doing("open a pidfd")?,
            first: FirstThread::current(),
            hidden: paths.hidden().map(Path::to_owned).collect(),
            may_guard_host,
        })
    }

    /// Collects the setting in the first process of an outer sandbox, which ends where that fails.
    pub(super) fn setting(
        self,
        ids: Ids,
        corrections: Option<Corrections>,
        shares: usize,
    ) -> Setting {
        let collected = Setting::collect(self, ids, corrections, shares);
        collected.unwrap_or_else(|_| process::exit_now(1))
    }
}

/// A request for an outer sandbox.
struct OuterRequest<'a> {
    ids: Ids,
    wanted: &'a Wanted<'a>,
    /// Whether there is a single trial in the sandbox.
    single: bool,
    /// Number of the sandbox among those of the run.
    owner: u32,
}

/// Makes an outer sandbox in which `inside` runs. If nextest runs this program, be it a test or the
/// wrapper of one, and the trial is the single one and apart from others, the sandbox is the one
/// that the starts of the nextest run share; what is known of the host there is returned as well.
///
/// # Errors
/// Fails if the system refuses a step of making the outer sandbox.
fn enter_or_make(
    request: &OuterRequest<'_>,
    corrections: impl FnOnce() -> Option<Corrections>,
    inside: impl FnOnce(MessageChannel, Ids, Option<Corrections>),
) -> Result<(Outer, Option<HostSettings>), RunError> {
    // The process inside takes the value out of its copy of this memory; this process does not.
    let inside = Cell::new(Some(inside));
    let live = |channel, ids, corrections| {
        if let Some(inside) = inside.take() {
            inside(channel, ids, corrections);
        }
    };
    let OuterRequest {
        ids,
        wanted,
        single,
        owner,
    } = *request;
    let may_share = single && wanted.apart;
    if let Some((outer, found)) = may_share.then(|| enter_kept(ids, wanted, live)).flatten() {
        return Ok((outer, Some(found)));
    }
    let outer = outer::make(ids, wanted, owner, corrections, live);
    Ok((outer.map_err(|refused| explain(&refused))?, None))
}

/// Enters the outer sandbox that the starts of a nextest run share, if nextest runs this program.
pub(super) fn enter_kept(
    ids: Ids,
    wanted: &Wanted<'_>,
    inside: impl FnOnce(MessageChannel, Ids, Option<Corrections>),
) -> Option<(Outer, HostSettings)> {
    let run = nextest::run()?;
    let keeping = outer::Keeping {
        run: &run,
        owner: &|| nextest::process_of(&run),
        slot: nextest::slot(),
    };
    outer::enter_kept(&keeping, ids, wanted, inside)
}

/// Returns whether a trial has all namespaces for itself. Such a trial shares nothing of the outer
/// sandbox but its files.
pub(super) fn is_usual(trial: &Trial) -> bool {
    trial.options().isolation == Isolation::ALL
}

/// The world of a program, and what its supervisor needs.
pub(crate) struct ProgramSetup {
    /// Signals that come for the program.
    pub(crate) signals: SignalFd,
    pub(crate) nursery: NurseryHandle,
    /// Channel to the nursery, which is the zygote.
    pub(crate) zygote: MessageChannel,
    /// Remarks on what this system cannot do.
    pub(crate) notes: Vec<String>,
    /// Whether the zygote runs the program already.
    pub(crate) is_ordered: bool,
}

impl ProgramSetup {
    /// Makes the outer sandbox for a trial that is a program, or enters the one that the starts of
    /// a nextest run share. The signals of the program are blocked from now on.
    ///
    /// # Errors
    /// Fails if the system refuses a step of making the outer sandbox.
    pub(crate) fn make(
        trial: Trial,
        paths: &Paths,
        program: ProgramBody,
    ) -> Result<Self, RunError> {
        let ids = Ids::available();
        let look = || -> Result<_, Refused> {
            let signals = SignalFd::of(&PASSED_ON).doing("catch signals")?;
            Ok((signals, Outside::look(paths, ids)?))
        };
        let (signals, outside) = look().map_err(|refused| explain(&refused))?;
        let wanted = Wanted {
            paths,
            ordinary_users: trial.account().is_some(),
            apart: is_usual(&trial),
        };
        let mut trials = [Some(trial)];
        let inside = |channel, ids, corrections| {
            let mut setting = outside.setting(ids, corrections, 1);
            setting.program = Some(program);
            nursery::live_as_zygote(Zygote::new(&mut trials, setting), &channel)
        };
        let read = Corrections::of_host;
        let request = OuterRequest {
            ids,
            wanted: &wanted,
            single: true,
            owner: 0,
        };
        let (outer, _) = enter_or_make(&request, read, inside)?;
        Ok(Self {
            signals,
            nursery: NurseryHandle::new(outer.first, None, outer.owner),
            zygote: outer.channel,
            notes: outer.notes,
            is_ordered: false,
        })
    }
}

pub(super) fn describe_isolation(ids: Ids) -> String {
    let root = match ids {
        Ids::One { uid, .. } => format!("its root is uid {uid} outside"),
        Ids::Subordinate(ids) => format!(
            "its root is uid {} outside, and {} mapped",
            ids.uid,
            counted_are(ids.count, "id")
        ),
        Ids::Range(map) => format!(
            "its root is uid {} outside, and {} mapped",
            map.outside,
            counted_are(map.count, "id")
        ),
    };
    format!("each in user, net, mnt, uts, ipc and pid namespaces of its own; {root}")
}
