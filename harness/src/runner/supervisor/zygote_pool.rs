//! The supervisor's end of the zygotes and of the nursery that makes them.
//!
//! A zygote for every trial would cost a second fork, so a zygote runs one trial after another. But
//! a zygote can die with its trial, or later, and the supervisor need not have noticed. So an
//! order goes to the zygote that is there, and if that fails, to a new one.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::kernel::errno::Errno;
use crate::kernel::process::signal::Signal;
use crate::sandbox::outer::OuterOwner;

use crate::kernel::fd::{pipe, set_nonblocking};
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::poll::wait_readable;
use crate::kernel::process;
use crate::kernel::procfs::process_table;
use crate::sandbox::protocol::EdgeMessage;
use crate::sandbox::protocol::zygote::{NurseryOrder, ZygoteOrder};
use crate::trial::time_scale::stretched;

/// The first process of the outer sandbox, of which the zygotes are copies.
pub(crate) struct NurseryHandle {
    /// Pidfd of the process. It is readable when the process is gone.
    process: OwnedFd,
    /// Channel for orders. A nursery that runs the only trial itself takes none.
    orders: Option<MessageChannel>,
    /// The owner of the outer sandbox. Where that is the keeper, the process ends by itself, after
    /// the trial's init and when the supervisor lets go of the channel.
    owner: OuterOwner,
    /// Pidfds of processes that were killed and may take others along.
    dying: RefCell<Vec<OwnedFd>>,
    /// Another descriptor of the channel to a resident, which has an end when nobody is left of the
    /// trial.
    end_of_trial: Option<MessageChannel>,
    /// Whether no process is left that holds a descriptor of the last trial.
    left_nothing: Cell<bool>,
}

impl NurseryHandle {
    pub(crate) fn new(process: OwnedFd, orders: Option<MessageChannel>, owner: OuterOwner) -> Self {
        Self {
            process,
            orders,
            owner,
            dying: RefCell::default(),
            end_of_trial: None,
            left_nothing: Cell::default(),
        }
    }

    /// Returns the handle of a resident, which stays for other starts of the program.
    pub(crate) fn of_resident(process: OwnedFd, end_of_trial: MessageChannel) -> Self {
        Self {
            end_of_trial: Some(end_of_trial),
            ..Self::new(process, None, OuterOwner::Keeper)
        }
    }

    /// Notes whether no process is left that holds a descriptor of the last trial.
    pub(crate) fn note_left_nothing(&self, has_left_nothing: bool) {
        self.left_nothing.set(has_left_nothing);
    }

    /// Ends the nursery after the last trial, unless a keeper owns the outer sandbox.
    pub(crate) fn end(&self) {
        if self.owner == OuterOwner::ThisStart {
            self.kill_all();
        }
    }

    /// Returns the descriptors by which the nursery is known, which other processes must not have.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let orders = self.orders.iter().map(AsFd::as_fd);
        std::iter::once(self.process.as_fd()).chain(orders)
    }

    /// Kills the nursery, whatever its trial does. The kernel then kills everything in the outer
    /// sandbox, whose PID namespace has lost its first process (`pid_namespaces(7)`). The init of a
    /// trial that is a guest in that sandbox asks for the same signal when its parent dies.
    pub(crate) fn kill_all(&self) {
        if self.owner == OuterOwner::Keeper
            && let Some(pid) = process::pid_of(self.process.as_fd())
        {
            let inner = process_table::descendants(pid);
            let inner = inner
                .into_iter()
                .filter_map(|pid| process::pidfd_open(pid).ok());
            self.dying.borrow_mut().extend(inner);
        }
        // A nursery that is gone already needs no signal.
        let _ = process::pidfd_kill(&self.process, Signal::SIGKILL as i32);
    }

    /// Returns the id of the nursery, unless it is gone.
    pub(crate) fn pid(&self) -> Option<i32> {
        process::pid_of(self.process.as_fd())
    }

    /// Waits until the nursery is gone, which is about to happen.
    ///
    /// nextest reports a test as leaky if its stdout or stderr is open 100 ms after its exit
    /// (nextest 0.9, `leak-timeout`), and the nursery holds both.
    ///
    /// Of a resident, only the trial ends. Where the trial has left nobody, there is no need to
    /// wait: its init has let go of both before it reported so.
    pub(crate) fn await_end(&self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        if let Some(channel) = &self.end_of_trial {
            if !self.left_nothing.get() {
                channel.send_no_more();
                if !channel.await_end(stretched(PATIENCE)) {
                    self.kill_all();
                    channel.await_end(stretched(PATIENCE));
                }
                self.await_dying(stretched(PATIENCE));
            }
            return;
        }
        let is_gone = |process: &OwnedFd| {
            wait_readable([process.as_fd()], Some(stretched(PATIENCE))).is_ok_and(|[gone]| gone)
        };
        if !is_gone(&self.process) {
            self.kill_all();
            let _ = is_gone(&self.process);
        }
        self.await_dying(stretched(PATIENCE));
        // In a container nobody may reap for a program that leaves its dead to others.
        if is_gone(&self.process) {
            process::wait_for_child_of(self.process.as_fd());
        }
    }

    /// Waits until the processes are gone that were killed.
    fn await_dying(&self, patience: Duration) {
        self.dying.borrow().iter().for_each(|process| {
            let _ = wait_readable([process.as_fd()], Some(patience));
        });
    }

    /// Returns a descriptor that is readable when the nursery has died, unless it runs a trial
    /// itself: its death is then that trial's.
    pub(crate) fn death(&self) -> Option<BorrowedFd<'_>> {
        self.orders.as_ref().map(|_| self.process.as_fd())
    }

    /// Kills the zygote of a slot, and the trial that the zygote runs.
    fn kill(&self, slot: usize) {
        match &self.orders {
            Some(orders) => {
                let order = NurseryOrder::Kill { slot: slot as u32 };
                // If the nursery is gone, so are its zygotes.
                let _ = orders.send(&order.encode());
            }
            None => self.kill_all(),
        }
    }

    /// Makes a zygote for a slot, which reads from the given channel.
    fn spawn(&self, slot: usize, channel: &MessageChannel) -> crate::kernel::Result<()> {
        let orders = self.orders.as_ref().ok_or(Errno::ESRCH)?;
        let order = NurseryOrder::Spawn { slot: slot as u32 };
        orders.send_with(&order.encode(), &[channel.as_raw_fd()])
    }
}

/// The channel to a zygote, and the pipe from its trials.
pub(crate) struct ZygoteChannel {
    channel: MessageChannel,
    /// Reading end of the pipe to which its last trial wrote, if the pipe can be used again.
    output: Option<File>,
}

impl ZygoteChannel {
    pub(crate) fn new(channel: MessageChannel, output: Option<File>) -> Self {
        Self { channel, output }
    }

    /// Returns the channel to the zygote and the pipe from its trial.
    pub(crate) fn into_parts(self) -> (MessageChannel, Option<File>) {
        (self.channel, self.output)
    }

    /// Sends an order. If the output is to be captured and there is no pipe yet, the writing end of
    /// a new one goes along.
    fn send(&mut self, order: &[u8], capture: bool) -> crate::kernel::Result<()> {
        if !capture || self.output.is_some() {
            return self.channel.send(order);
        }
        let (read, write) = output_pipe()?;
        self.output = Some(read);
        self.channel.send_with(order, &[write.as_raw_fd()])
    }
}

/// Makes a pipe whose reading end never blocks, and whose writing end does.
fn output_pipe() -> crate::kernel::Result<(File, OwnedFd)> {
    // `pipe2(2)` sets O_NONBLOCK on both ends or on none, and a test that writes much to a
    // non-blocking pipe would get EAGAIN.
    let (read, write) = pipe()?;
    set_nonblocking(read.as_fd(), true)?;
    Ok((File::from(read), write))
}

/// The zygotes that wait for trials, one a slot.
pub(crate) struct ZygotePool<'a> {
    /// None if no trial is to run.
    nurseries: &'a [NurseryHandle],
    /// Zygotes by slot. A slot has one from its first trial on, while the zygote is good and idle.
    idle: Vec<Option<ZygoteChannel>>,
    /// The output of trials is captured.
    capture: bool,
}

impl<'a> ZygotePool<'a> {
    /// Makes a pool with this number of slots. The first slot may have a zygote already: the
    /// nursery itself.
    pub(crate) fn new(
        nurseries: &'a [NurseryHandle],
        slots: usize,
        capture: bool,
        first: Option<MessageChannel>,
    ) -> Self {
        let mut idle: Vec<Option<ZygoteChannel>> = (0..slots).map(|_| None).collect();
        if let Some((slot, channel)) = idle.first_mut().zip(first) {
            *slot = Some(ZygoteChannel::new(channel, None));
        }
        Self {
            nurseries,
            idle,
            capture,
        }
    }

    /// Makes the zygote of a slot run a trial, or a new zygote if that one has died meanwhile.
    ///
    /// # Errors
    /// Fails if the nursery is gone, or if there is no descriptor left.
    pub(crate) fn run(
        &mut self,
        slot: usize,
        order: &ZygoteOrder,
    ) -> crate::kernel::Result<ZygoteChannel> {
        let order = order.encode();
        if let Some(mut zygote) = self.idle[slot].take()
            && zygote.send(&order, self.capture).is_ok()
        {
            return Ok(zygote);
        }
        let nursery = self.nursery_of(slot).ok_or(Errno::ESRCH)?;
        let (ours, theirs) = MessageChannel::pair()?;
        let mut zygote = ZygoteChannel::new(ours, None);
        // The order is sent before the zygote exists, and waits in the channel: one wake-up less.
        zygote.send(&order, self.capture)?;
        nursery.spawn(slot, &theirs)?;
        Ok(zygote)
    }

    /// Takes back the zygote of a slot when its trial is over. `has_left_nothing` says whether
    /// nobody has anything any more of what the trial was given.
    pub(crate) fn put_back(
        &mut self,
        slot: usize,
        zygote: Option<ZygoteChannel>,
        has_left_nothing: bool,
    ) {
        self.idle[slot] = zygote;
        if let Some(nursery) = self.nursery_of(slot) {
            nursery.note_left_nothing(has_left_nothing);
        }
    }

    /// Kills the zygote of a slot, and the trial that the zygote runs.
    pub(crate) fn kill(&self, slot: usize) {
        if let Some(nursery) = self.nursery_of(slot) {
            nursery.kill(slot);
        }
    }

    /// Kills everything.
    pub(crate) fn end(&self) {
        self.nurseries.iter().for_each(NurseryHandle::kill_all);
    }

    /// Returns descriptors that are readable when a nursery has died, and its trials with it.
    pub(crate) fn deaths(&self) -> impl Iterator<Item = BorrowedFd<'a>> {
        self.nurseries.iter().filter_map(NurseryHandle::death)
    }

    /// Returns the nursery that makes the zygotes of a slot. Each has about as many.
    fn nursery_of(&self, slot: usize) -> Option<&'a NurseryHandle> {
        self.nurseries.get(slot % self.nurseries.len().max(1))
    }
}
