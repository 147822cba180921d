//! Who runs the trials: the zygotes, and the nursery that they come from.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::active::pipe;
use super::supervisor::Supervisor;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::zygote::{NurseryOrder, ZygoteOrder};

/// The first process of the outer sandbox, of which the zygotes are copies.
pub(crate) struct Nursery {
    /// Readable when it is gone; killing it kills everything inside.
    pub(crate) process: OwnedFd,
    /// None where it runs the only trial itself.
    pub(crate) orders: Option<MessageChannel>,
}

impl Nursery {
    /// Kills it, and with it everything inside.
    pub(crate) fn end(&self) {
        let _ = process::pidfd_kill(&self.process, libc::SIGKILL);
    }

    /// Waits until it is gone, as it is about to be: nextest takes whatever has a test's output open for a leak.
    pub(crate) fn await_end(&self) {
        const PATIENCE: u16 = 5_000;
        let mut ended = [PollFd::new(self.process.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut ended, PollTimeout::from(PATIENCE));
    }

    /// Kills the zygote of a slot, and the trial that it runs.
    pub(crate) fn kill(&self, slot: usize) {
        match &self.orders {
            Some(orders) => {
                let _ = orders.send(&NurseryOrder::Kill { slot: slot as u32 }.encode());
            }
            None => self.end(),
        }
    }
}

/// A zygote that waits for a trial.
pub(super) struct Idle {
    pub(super) channel: MessageChannel,
    /// The pipe that its last trial wrote to, if that has left it to the next one.
    pub(super) output: Option<File>,
}

impl Idle {
    /// Sends an order, with the end of a new pipe to write to where one is wanted and there is none.
    fn send(&mut self, order: &[u8], capture: bool) -> nix::Result<()> {
        if !capture || self.output.is_some() {
            return self.channel.send(order);
        }
        let (read, write) = pipe()?;
        self.output = Some(read);
        self.channel.send_with(order, &[write.as_raw_fd()])
    }
}

impl Supervisor<'_> {
    /// The first slot has a zygote already.
    pub(crate) fn adopt(&mut self, channel: MessageChannel) {
        let output = None;
        self.zygotes[0] = Some(Idle { channel, output });
    }

    /// Has the zygote of a slot run a trial, or another one if that has gone meanwhile.
    pub(super) fn order(&mut self, slot: usize, run: ZygoteOrder) -> nix::Result<Idle> {
        let run = run.encode();
        let capture = self.plan.capture;
        if let Some(mut idle) = self.zygotes[slot].take()
            && idle.send(&run, capture).is_ok()
        {
            return Ok(idle);
        }
        let nursery = self.nursery.and_then(|nursery| nursery.orders.as_ref());
        let nursery = nursery.ok_or(Errno::ESRCH)?;
        let (channel, theirs) = MessageChannel::pair()?;
        let mut idle = Idle {
            channel,
            output: None,
        };
        idle.send(&run, capture)?;
        let spawn = NurseryOrder::Spawn { slot: slot as u32 };
        nursery.send_with(&spawn.encode(), &[theirs.as_raw_fd()])?;
        Ok(idle)
    }
}
