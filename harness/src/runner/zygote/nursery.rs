//! The nursery: the first process of the outer sandbox, of which the zygotes are copies.
//!
//! A trial that hangs is killed together with its zygote. The slot then needs another zygote, as
//! good as the first: a copy of a process in which no trial has ever run. That process is the
//! nursery. It runs a trial itself only if there is a single one.

use std::os::fd::{AsFd, OwnedFd};

use super::ordered_trial::ZygoteProcess;
use crate::kernel::namespace::CloneFlags;
use crate::kernel::process::signal::Signal;

use super::orders::{await_order, refuse};
use super::zygote::Zygote;
use crate::kernel::errno::errno;
use crate::kernel::fd::replace_standard;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::process::clone::{Cloned, clone_into};
use crate::kernel::process::signal;
use crate::kernel::thread::rseq;
use crate::observe;
use crate::runner::args::{CORE, is_on};
use crate::sandbox::protocol::zygote::NurseryOrder;
use crate::sandbox::trial::body;
use crate::sandbox::within;

/// Forks and kills zygotes as the supervisor orders, until the supervisor is done.
pub(crate) fn live(zygote: Zygote<'_>, orders: MessageChannel) -> ! {
    prepare_or_exit(&zygote);
    let mut zygotes = Zygotes::default();
    loop {
        match await_order(&orders, zygote.supervisor()) {
            (Some(NurseryOrder::Spawn { slot }), Some(channel)) => {
                let channel = MessageChannel::from(channel);
                zygotes.kill(slot);
                match clone_into(CloneFlags::empty()) {
                    Ok(Cloned::Parent { pidfd, .. }) => zygotes.put(slot, pidfd),
                    Ok(Cloned::Child) => {
                        // A zygote that held the ends of others would keep them from noticing
                        // that the supervisor is done with them.
                        drop((orders, zygotes));
                        process::never_return(|| zygote.serve(&channel, ZygoteProcess::Own))
                    }
                    Err(error) => refuse(&channel, "fork a zygote", &error),
                }
            }
            (Some(NurseryOrder::Kill { slot }), _) => zygotes.kill(slot),
            (Some(NurseryOrder::Spawn { .. }), None) | (None, _) => {}
        }
    }
}

/// Runs the only trial of a program: this process is the nursery, and the zygote of the trial.
pub(crate) fn live_as_zygote(zygote: Zygote<'_>, orders: &MessageChannel) -> ! {
    prepare_or_exit(&zygote);
    zygote.serve(orders, ZygoteProcess::Nursery)
}

fn prepare_or_exit(zygote: &Zygote<'_>) {
    if prepare(zygote.is_program()).is_err() {
        process::exit_now(1);
    }
}

/// Pidfds of the zygotes, by slot.
#[derive(Default)]
struct Zygotes(Vec<Option<OwnedFd>>);

impl Zygotes {
    /// Keeps the pidfd of the new zygote of a slot.
    fn put(&mut self, slot: u32, pidfd: OwnedFd) {
        let slot = slot as usize;
        if slot >= self.0.len() {
            self.0.resize_with(slot + 1, || None);
        }
        self.0[slot] = Some(pidfd);
    }

    /// Kills the zygote of a slot, if there is one, and with it the trial that the zygote runs: the
    /// init asks for the same signal when its parent dies (`PR_SET_PDEATHSIG`, `prctl(2)`).
    fn kill(&mut self, slot: u32) {
        if let Some(pidfd) = self.0.get_mut(slot as usize).and_then(Option::take) {
            // A zygote that is gone already needs no signal.
            let _ = process::pidfd_kill(&pidfd, Signal::SIGKILL as i32);
        }
    }
}

/// Does once what would otherwise be done for each trial.
pub(super) fn prepare(is_program: bool) -> crate::kernel::Result<()> {
    // The kernel then reaps the zygotes (`wait(2)`, NOTES): the nursery never waits for any.
    signal::ignore_children()?;
    // The directories that these variables name are hidden in the sandbox.
    for key in ["TMPDIR", "XDG_RUNTIME_DIR"] {
        process::remove_env(key);
    }
    within::mark_environment();
    limit_core_files()?;
    if !is_program {
        // Tests of a run share a terminal, and none of them can know whose turn it is to read.
        let null = std::fs::File::open("/dev/null").map_err(|e| errno(&e))?;
        replace_standard(null.as_fd(), 0)?;
        // Trials may open as many files as the kernel permits this user, and their programs as many
        // as the user expects.
        process::raise_open_files(u64::MAX)?;
        process::limits::give_back_in_forks();
    }
    rseq::prepare();
    observe::log_keys_of_this_process();
    body::prepare(is_program);
    Ok(())
}

/// Forbids core files unless `SNOWGLOBE_CORE` is 1: a test that is meant to crash should not
/// leave one in the workspace.
fn limit_core_files() -> crate::kernel::Result<()> {
    match is_on(CORE, |key| std::env::var_os(key)) {
        // A test program has refused other values at its start; `snowglobe exec` permits the file.
        Ok(true) | Err(_) => Ok(()),
        // Only the soft limit is set, so that a test can raise it again.
        Ok(false) => process::limits::forbid_core_files(),
    }
}
