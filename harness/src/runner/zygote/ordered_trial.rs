//! A trial that has been ordered, from its sandbox to its leftovers.
//!
//! A trial needs two processes: an init, which is the first process of the trial's PID namespace,
//! and the test body. Two forks would cost twice. So the init is no fork: it lives in the zygote's
//! memory while the zygote sleeps ([`shared_memory_child`]), as a guest on the thread that bears
//! the test's name. The one fork is that of the test body, which finds itself on a copy of that
//! thread.

use std::os::fd::OwnedFd;

use super::hostname::hostname;
use super::orders::refuse;
use super::setting::Setting;
use crate::Isolation;
use crate::events;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::process::shared_memory_child;
use crate::sandbox::ids::Ids;
use crate::sandbox::refused::{NewProcess, SetupStep};
use crate::sandbox::trial::body;
use crate::sandbox::trial::init::Init;
use crate::sandbox::trial::mounts::SandboxSpec;
use crate::trial::Trial;

/// A trial that has been ordered.
pub(crate) struct OrderedTrial<'a> {
    pub(crate) index: u32,
    pub(crate) seed: u64,
    /// Channel to the supervisor. The trial's init uses the channel until the trial is gone.
    pub(crate) channel: &'a MessageChannel,
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
        pipes: &mut Pipes,
    ) -> Leftovers {
        let Some(trial) = slot.as_ref() else {
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
            spec: SandboxSpec {
                isolation: options.isolation,
                hostname: &hostname,
                nested: options.nested,
                hidden: &setting.hidden,
                working_dir: &setting.working_dir,
                sys_read_only: setting.sys_read_only,
                patient: false,
                corrections: Some(&setting.corrections),
            },
            ids: setting.ids,
            numbers: setting.numbers.of_trial(self.index),
            channel: self.channel,
            reports: init_end,
            supervisor: &setting.supervisor,
            signals: &setting.signals,
        };
        let give_ids = |pid| match map_ids(setting.ids, options.isolation, pid) {
            Ok(()) => true,
            Err(error) => {
                refuse(self.channel, "map the ids", &error);
                false
            }
        };
        // The body takes the trial and the channel out of its own copy of this memory: the zygote
        // keeps both.
        let run_body = || match (slot.take(), body_end.take()) {
            (Some(trial), Some(channel)) => body::run(trial, self.seed, self.index, channel),
            (None, _) | (_, None) => process::exit_now(1),
        };
        let mut is_empty = false;
        let live = || is_empty = init.live(output.as_ref(), run_body);
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
}

/// Maps a range of ids into the user namespace of the process `pid`.
///
/// Only a process of the parent namespace may write more than its own id (`user_namespaces(7)`), so
/// the zygote does so for the init. An init with a single id writes its map itself.
fn map_ids(ids: Ids, isolation: Isolation, pid: i32) -> std::io::Result<()> {
    if matches!(ids, Ids::One { .. }) || !isolation.contains(Isolation::USER) {
        return Ok(());
    }
    let map = ids.within();
    map.write(map, pid, false)
}
