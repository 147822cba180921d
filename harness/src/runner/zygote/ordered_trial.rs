//! A trial that has been ordered, from its sandbox to its leftovers.
//!
//! A trial needs two processes: an init, which is the first process of the trial's PID namespace,
//! and the test body. Two forks would cost twice. So the init is no fork: it lives in the zygote's
//! memory while the zygote sleeps ([`shared_memory_child`]), as a guest on the thread that bears
//! the test's name. The one fork is that of the test body, which finds itself on a copy of that
//! thread.

use std::cell::RefCell;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::hostname::hostname;
use super::orders::refuse;
use super::setting::{Beside, Setting};
use crate::Isolation;
use crate::events;
use crate::kernel::fd;
use crate::kernel::id_map::{self, GroupChange, IdMap};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::mount;
use crate::kernel::namespace::{self, CloneFlags};
use crate::kernel::process;
use crate::kernel::process::seccomp;
use crate::kernel::process::shared_memory_child;
use crate::kernel::process::signal;
use crate::sandbox::ids::Ids;
use crate::sandbox::refused::{NewProcess, SetupStep};
use crate::sandbox::trial::body;
use crate::sandbox::trial::denials::DenialWatch;
use crate::sandbox::trial::init::Init;
use crate::sandbox::trial::mounts::{HOSTS, HostsFile, SandboxSpec};
use crate::sandbox::trial::program::let_go_of;
use crate::trial::Trial;

/// A trial that has been ordered.
pub(crate) struct OrderedTrial<'a> {
    pub(crate) index: u32,
    pub(crate) seed: u64,
    /// Share of the process numbers.
    pub(crate) share: u32,
    /// Channel to the supervisor. The trial's init uses the channel until the trial is gone.
    pub(crate) channel: &'a MessageChannel,
}

/// Files of a zygote, which runs one trial at a time.
pub(crate) struct OwnFiles {
    /// Descriptor on which the kernel asks about calls whose refusal has to be explained.
    denials: Option<OwnedFd>,
    /// Path of the hosts file of the trial.
    pub(super) hosts: CString,
    /// Whether that file lies at `/etc/hosts` already.
    hosts_shown: bool,
}

/// The process in which a zygote lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ZygoteProcess {
    /// The zygote is a process of its own, which may have mounts of its own.
    Own,
    /// The zygote is the nursery, whose mounts are those of the outer sandbox.
    Nursery,
}

impl OwnFiles {
    /// Makes the files of the calling process.
    pub(crate) fn make(setting: &Setting, process: ZygoteProcess) -> Self {
        let hosts = format!("/run/.hosts-{}", std::process::id());
        let hosts = CString::new(hosts).unwrap_or_default();
        // Each trial would make a mount otherwise, for 15 µs (measured for this project, 2026-11).
        let shown = match process {
            ZygoteProcess::Own => setting.hosts.as_deref(),
            ZygoteProcess::Nursery => None,
        };
        Self {
            hosts_shown: shown.is_some_and(|text| show_hosts(&hosts, text).is_ok()),
            // The filter is loaded here and not in each trial: to load a filter takes 25 µs
            // (measured for this project, 2026-11), and to inherit one nothing. Without one,
            // refusals are not explained.
            denials: seccomp::watch(ids_from_zero()).ok(),
            hosts,
        }
    }
}

/// Returns how many ids from 0 on are mapped here, both as users and as groups.
fn ids_from_zero() -> u32 {
    let ids = id_map::own_ids().and_then(|users| Ok(users.min(id_map::own_groups()?)));
    // Without a procfs the mapping is unknown, so every change of owner passes without a question.
    ids.unwrap_or(u32::MAX)
}

/// Gives the calling process mounts of its own, with the file at `path` in the place of
/// `/etc/hosts`.
fn show_hosts(path: &CStr, text: &[u8]) -> crate::kernel::Result<()> {
    fd::create_file(path, [text])?;
    namespace::unshare(CloneFlags::CLONE_NEWNS)?;
    let tree = mount::detach_copy(
        Path::new(OsStr::from_bytes(path.to_bytes())),
        mount::MountsBelow::LeftOut,
    )?;
    mount::attach(tree.as_fd(), Path::new(HOSTS))
}

/// Descriptors that a trial is given.
pub(crate) struct Pipes {
    /// Pipe for the body's stdout and stderr, unless they go straight through.
    output: Option<OwnedFd>,
    /// The init's end of the channel on which the body reports.
    init_end: MessageChannel,
    /// The body's end of that channel.
    body_end: Option<MessageChannel>,
}

impl Pipes {
    /// Returns the pipes of the next trial. Those of the previous trial are used again where nobody
    /// else holds them any more.
    ///
    /// # Errors
    /// Fails if the kernel has no descriptor left.
    pub(crate) fn after(
        kept: Option<Self>,
        output: Option<OwnedFd>,
    ) -> crate::kernel::Result<Self> {
        let kept = match kept {
            Some(kept) => kept,
            None => {
                let (init_end, body_end) = MessageChannel::pair()?;
                // A fork of the body has the body's end as well, and must not speak for the body.
                init_end.learn_senders()?;
                Self {
                    output: None,
                    init_end,
                    body_end: Some(body_end),
                }
            }
        };
        Ok(Self {
            output: output.or(kept.output),
            ..kept
        })
    }
}

/// Things that a trial has left behind in its zygote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftovers {
    /// Nothing: nobody but the zygote holds the pipes any more.
    Nothing,
    /// Perhaps processes that hold the pipes and are about to die.
    Processes,
    /// Memory in an unknown state: the init was killed while it used the memory of the zygote.
    Ruin,
}

impl OrderedTrial<'_> {
    /// Makes the init of the trial in `slot` a guest of the calling thread, and returns when that
    /// init has left this memory.
    pub(crate) fn run_as_guest(
        &self,
        slot: &mut Option<Trial>,
        setting: &Setting,
        own: &OwnFiles,
        pipes: &mut Pipes,
    ) -> Leftovers {
        // The contents of the slot are on the stack, for the body does not get the memory of the
        // slots (`process::wipe_in_forks`).
        let mut held = slot.take();
        let leftovers = self.run_held(&mut held, setting, own, pipes);
        *slot = held;
        if !own.hosts_shown {
            // An outer sandbox that is kept would collect those of all starts.
            let _ = std::fs::remove_file(OsStr::from_bytes(own.hosts.to_bytes()));
        }
        leftovers
    }

    fn run_held(
        &self,
        held: &mut Option<Trial>,
        setting: &Setting,
        own: &OwnFiles,
        pipes: &mut Pipes,
    ) -> Leftovers {
        let Some(trial) = held.as_ref() else {
            return Leftovers::Ruin;
        };
        let Pipes {
            output,
            init_end,
            body_end,
        } = pipes;
        body::prepare_thread();
        events::start_clock();
        let options = *trial.options();
        let hostname = hostname(trial.name());
        let init = Init {
            spec: sandbox_of(trial, &hostname, setting, own),
            own_ids: own_ids(setting),
            numbers: setting.numbers.of_trial(self.share),
            channel: self.channel,
            reports: init_end,
            supervisor: &setting.supervisor,
            keeper: setting.beside.as_ref().map(|beside| &beside.keeper),
            signals: &setting.signals,
            program: setting.program,
            lends_output: setting.instead_of_output.is_some(),
            denials: own.denials.as_ref().map(|fd| DenialWatch {
                fd,
                may_make_users: options.nested || !options.isolation.contains(Isolation::USER),
                told: RefCell::default(),
            }),
        };
        let give_ids = |pid| match map_ids(setting, options.isolation, pid) {
            Ok(()) => {
                let_go(setting);
                true
            }
            Err(error) => {
                refuse(self.channel, "map the ids", &error);
                false
            }
        };
        // The body takes the trial and the channel out of its own copy of this memory: the zygote
        // keeps both.
        let run_body = || self.run_body(setting, held, body_end);
        let mut is_empty = false;
        let live = || {
            if let Some(Beside { procfs, .. }) = &setting.beside {
                fd::close_in_copy(&[procfs.as_fd()]);
            }
            is_empty = init.live(output.as_ref(), run_body);
        };
        let namespaces = options.isolation.clone_flags();
        match shared_memory_child::run_in_child(namespaces, give_ids, live) {
            Ok(true) if is_empty => Leftovers::Nothing,
            Ok(true) => Leftovers::Processes,
            Ok(false) => Leftovers::Ruin,
            Err(error) => {
                let step = SetupStep::Clone(NewProcess::Sandbox, namespaces);
                refuse(self.channel, step, &error);
                Leftovers::Processes
            }
        }
    }

    /// Runs the body in the calling process. A program that starts at once uses the memory of the
    /// zygote until then, and so leaves the channel where it is.
    fn run_body(
        &self,
        setting: &Setting,
        held: &mut Option<Trial>,
        channel: &mut Option<MessageChannel>,
    ) -> ! {
        let Some(trial) = held.take() else {
            process::exit_now(1)
        };
        if setting.program.is_some_and(|it| it.starts_at_once) {
            body::become_program(trial, self.index)
        }
        match channel.take() {
            Some(channel) => body::run(trial, self.seed, self.index, channel),
            None => process::exit_now(1),
        }
    }
}

/// Lets go of what the init of a trial has by now, and nobody else is to have.
fn let_go(setting: &Setting) {
    if setting.beside.is_some() {
        let _ = leave_group();
    }
    if setting.program.is_some() {
        // A reader of the program's output waits until nobody else has the caller's descriptors.
        let _ = let_go_of(0..3);
    }
    if let Some(null) = &setting.instead_of_output {
        // nextest waits until nobody has the output of a test any more.
        let _ = [1, 2].map(|number| fd::replace_standard(null.as_fd(), number));
    }
}

/// Returns the sandbox of a trial.
fn sandbox_of<'a>(
    trial: &Trial,
    hostname: &'a str,
    setting: &'a Setting,
    own: &'a OwnFiles,
) -> SandboxSpec<'a> {
    let options = trial.options();
    let is_ordinary_user = trial.account().is_some();
    // In a namespace within, a procfs of which parts are covered permits no other procfs.
    let guards_host = setting.guards_host && !options.nested;
    SandboxSpec {
        isolation: options.isolation,
        hostname,
        nested: options.nested,
        is_ordinary_user,
        hidden: &setting.hidden,
        hosts: setting.hosts.as_deref().map(|text| HostsFile {
            text,
            kept_at: &own.hosts,
            is_shown: own.hosts_shown,
        }),
        plain: if is_ordinary_user {
            &setting.plain
        } else {
            &[]
        },
        working_dir: &setting.working_dir,
        guards_host,
        sys_read_only: setting.sys_read_only || guards_host,
        patient: false,
        ping_groups: Some(&setting.ping_groups),
        number_counter: setting.number_counter.as_ref(),
        corrections: Some(&setting.corrections),
    }
}

/// Returns the ids that an init maps itself: a single one, unless its zygote is beside the sandbox.
/// Such an init has no number in the procfs that it sees.
fn own_ids(setting: &Setting) -> Option<IdMap> {
    let is_single = matches!(setting.ids, Ids::One { .. });
    (is_single && setting.beside.is_none()).then(|| setting.ids.within())
}

/// Maps ids into the user namespace of the process `pid`, unless it does so itself.
///
/// Only a process of the parent namespace may write more than its own id (`user_namespaces(7)`), so
/// the zygote does so for the init.
fn map_ids(setting: &Setting, isolation: Isolation, pid: i32) -> std::io::Result<()> {
    if own_ids(setting).is_some() || !isolation.contains(Isolation::USER) {
        return Ok(());
    }
    let map = setting.ids.within();
    match &setting.beside {
        Some(Beside { procfs, keeper: _ }) => map.write_in(procfs.as_fd(), pid),
        None => map.write(map, pid, GroupChange::Permitted),
    }
}

/// Takes the calling process, a zygote beside the sandbox, out of the process group of a program,
/// where it was for the clone of the program's init. What the group was sent meanwhile is for its
/// other members.
pub(super) fn leave_group() -> crate::kernel::Result<()> {
    process::lead_process_group()?;
    signal::take_all_pending();
    Ok(())
}
