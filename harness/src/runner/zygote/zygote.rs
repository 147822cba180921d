//! A zygote: a copy of the test program that runs trials, one at a time.
//!
//! Starting the test program anew for each trial would cost an `execve`, the dynamic linker, and a
//! walk through all registered trials. A zygote is forked once, before any trial has run, and a
//! trial then costs a single fork.

use std::os::fd::OwnedFd;
use std::thread;

use super::ordered_trial::{Leftovers, OrderedTrial, OwnFiles, Pipes, ZygoteProcess};
use super::orders::{await_order, refuse};
use super::setting::Setting;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::sandbox::protocol::zygote::ZygoteOrder;
use crate::trial::Trial;

/// The state of a zygote, and of the nursery before it forks one.
pub(crate) struct Zygote<'a> {
    /// Trials by the index that orders name. A trial is taken out by the process that runs it,
    /// which has a copy of this memory.
    pub(super) trials: &'a mut [Option<Trial>],
    pub(super) setting: Setting,
    /// Pipes that the previous trial has left as they were.
    kept: Option<Pipes>,
}

impl<'a> Zygote<'a> {
    pub(crate) fn new(trials: &'a mut [Option<Trial>], setting: Setting) -> Self {
        Self {
            trials,
            setting,
            kept: None,
        }
    }

    /// Returns whether the only trial is a program for which somebody waits.
    pub(crate) fn is_program(&self) -> bool {
        self.setting.program.is_some()
    }

    /// Returns a pidfd that is readable when the supervisor is gone.
    pub(crate) fn supervisor(&self) -> &OwnedFd {
        &self.setting.supervisor
    }

    /// Runs the trials that are ordered, until the supervisor is done or gone.
    pub(crate) fn serve(self, channel: &MessageChannel, process: ZygoteProcess) -> ! {
        if let Some(first) = self.setting.first {
            first.disown();
        }
        // A body has its trial on the stack, and no use for those of others.
        let mut trials = process::wipe_in_forks(self.trials);
        let mut zygote = Zygote {
            trials: &mut trials,
            setting: self.setting,
            kept: self.kept,
        };
        let own = OwnFiles::make(&zygote.setting, process);
        loop {
            let (order, output) = await_order(channel, &zygote.setting.supervisor);
            // While a trial runs, its init reads from this channel. A request that came when the
            // init had just ended is read here, and is of no use any more.
            let Some(ZygoteOrder { trial, seed, share }) = order else {
                continue;
            };
            let ordered = OrderedTrial {
                index: trial,
                seed,
                share,
                channel,
            };
            if zygote.run(&ordered, &own, output) == Leftovers::Ruin {
                // The supervisor notices the end of the channel, and has another zygote made for
                // this slot when there is another trial for it.
                process::exit_now(1)
            }
        }
    }

    /// Runs a trial, and returns what it has left. After a ruin this zygote can run no other.
    pub(super) fn run(
        &mut self,
        ordered: &OrderedTrial<'_>,
        own: &OwnFiles,
        output: Option<OwnedFd>,
    ) -> Leftovers {
        let Some(slot) = self.trials.get_mut(ordered.index as usize) else {
            return Leftovers::Ruin;
        };
        let Some(name) = slot.as_ref().map(|trial| trial.name().to_owned()) else {
            return Leftovers::Ruin;
        };
        let mut pipes = match Pipes::after(self.kept.take(), output) {
            Ok(pipes) => pipes,
            Err(errno) => {
                refuse(ordered.channel, "make a channel", &errno.into());
                return Leftovers::Processes;
            }
        };
        let setting = &self.setting;
        let is_program = setting.program.is_some();
        let mut run = || ordered.run_as_guest(slot, setting, own, &mut pipes);
        let leftovers = if is_program {
            // The body becomes another program, and nobody sees the name of a thread.
            run()
        } else {
            on_named_thread(name, setting.stack, run).unwrap_or_else(|error| {
                refuse(ordered.channel, "start the test's thread", &error);
                Leftovers::Processes
            })
        };
        if leftovers == Leftovers::Nothing {
            self.kept = Some(pipes);
        }
        leftovers
    }
}

/// Runs a trial on a thread of the test's name, for the test body will be a copy of that thread:
/// panic messages and debuggers then show the name, as under libtest.
fn on_named_thread(
    name: String,
    stack: usize,
    run: impl FnOnce() -> Leftovers + Send,
) -> std::io::Result<Leftovers> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name).stack_size(stack);
        let thread = thread.spawn_scoped(scope, run)?;
        Ok(thread.join().unwrap_or(Leftovers::Ruin))
    })
}
