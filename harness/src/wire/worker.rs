//! One thread that carries wires: waits for frames, for requests and for the next due packet.
//!
//! A delay is only as good as the moment at which the thread wakes up, and the kernel wakes a
//! thread some ten microseconds after it was asked to. So a worker measures how late its waits
//! end, and delivers packets earlier by what the waits and the wake-ups at both ends will take.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use super::packet_pool::PacketPool;
use super::wire::Wire;
use crate::kernel::clock::monotonic;
use crate::kernel::frames::{BATCH, Inbox, PollEvents, Poller, exact_timers};
use crate::kernel::sync::AnswerSender;

/// A request of another thread to a worker.
pub(super) enum WorkerRequest {
    /// Carries a wire from now on, and answers with the wire's number.
    AddWire(Box<Wire>, AnswerSender<io::Result<usize>>),
    /// Gives the wire of that number back, and carries it no longer.
    RemoveWire(usize, AnswerSender<Option<Box<Wire>>>),
    /// Does something to the wire of that number.
    Run(usize, WireTask),
    /// Carries out what the rules of that wire have ordered.
    CarryOutOrders(usize),
    /// Ends the thread, which has no wires any more.
    Stop,
}

/// Something to be done to a wire, at the given time.
pub(super) type WireTask = Box<dyn FnOnce(&mut Wire, u64) + Send>;

/// The state of one thread that carries wires.
pub(super) struct WireWorker {
    poller: Arc<Poller>,
    requests: Receiver<WorkerRequest>,
    /// Wires by their numbers; nothing where a wire was removed.
    wires: Vec<Option<CarriedWire>>,
    /// Times at which wires have a packet due, with the wires' numbers. An alarm that is out of
    /// date does no harm: its wire has another one.
    alarms: BinaryHeap<Reverse<(u64, usize)>>,
    inbox: Inbox,
    pool: PacketPool,
    /// Nanoseconds by which a wait typically ends too late.
    lag: u64,
}

/// A wire, and the earliest of its alarms.
struct CarriedWire {
    wire: Box<Wire>,
    alarm: Option<u64>,
}

/// Nanoseconds that a packet takes from a sender to this thread and from here to a receiver,
/// beside the wake-up of a thread. Packets wait that much less here.
///
/// Of a delay's error, about 35 µs are the forwarding path (measured for this project on a quiet
/// 2-core VM, 2026-08). The larger part of that is wake-ups: see [`WireWorker::path`].
const PATH: u64 = 10_000;

/// Longest time that a wake-up at the ends is taken to last, in nanoseconds. On a busy machine
/// this worker's lag grows beyond that, and packets would come out much too early.
const LONGEST_WAKE: u64 = 50_000;

/// Last part of a wait that is busy-waited for, if the wire spins, in nanoseconds. The sleep
/// before that ends late too: the error of a delay without spinning is 62 µs at p50, forwarding
/// included (measured for this project, 2026-08).
const SPIN: u64 = 100_000;

/// Number of frames in one read after which more frames are expected at once.
const MANY: usize = 8;

/// Time for which frames that come fast are left to gather, in nanoseconds.
const GATHER: u64 = 20_000;

/// Lag of a worker that has not measured one yet, in nanoseconds.
const FIRST_LAG: u64 = 30_000;

/// Most nanoseconds that one wait counts for the lag: a wait that ended milliseconds late, since
/// the core was taken, says nothing about the next one.
const MOST_LAG: u64 = 70_000;

impl WireWorker {
    pub(super) fn new(poller: Arc<Poller>, requests: Receiver<WorkerRequest>) -> Self {
        Self {
            poller,
            requests,
            wires: Vec::new(),
            alarms: BinaryHeap::new(),
            inbox: Inbox::new(BATCH),
            pool: PacketPool::default(),
            lag: FIRST_LAG,
        }
    }

    /// Carries wires until a request says to stop.
    pub(super) fn run(mut self) {
        // A thread's timers may be 50 µs late by default (PR_SET_TIMERSLACK, prctl(2)). With a
        // slack of 1 ns the error of a delay fell from 110-122 to 62-66 µs at p50 (measured for
        // this project, 2026-08). If the call fails, each wire's lateness shows the difference.
        let _ = exact_timers();
        let mut ready = PollEvents::new();
        loop {
            // Deliveries go first: a batch that was received may have taken a while to admit.
            self.deliver_due_packets();
            self.wait(&mut ready);
            if ready.woken() && !self.handle_requests() {
                return;
            }
            let most = ready.tokens().map(|token| self.receive_from(token)).max();
            // A full batch gains nothing by waiting: it is as many as one system call receives.
            if (MANY..BATCH).contains(&most.unwrap_or(0)) {
                self.let_frames_gather();
            }
        }
    }

    /// Sleeps for a moment, unless a packet is due by then, so that frames gather that come fast.
    ///
    /// Network cards do the same (interrupt coalescing, `ethtool -C`): several frames at once
    /// cost little more than one. The frames are admitted that much later, which counts for
    /// nobody's lateness.
    fn let_frames_gather(&self) {
        let next = self.alarms.peek();
        let rest = next.map(|Reverse((due, _))| self.time_until_departure(*due, monotonic()));
        if rest.is_none_or(|rest| rest > self.lag + GATHER) {
            thread::sleep(Duration::from_nanos(GATHER));
        }
    }

    /// Waits for frames, for requests, and for the next alarm.
    fn wait(&mut self, ready: &mut PollEvents) {
        let Some(&Reverse((due, index))) = self.alarms.peek() else {
            return self.poll(None, ready);
        };
        let now = monotonic();
        let rest = self.time_until_departure(due, now);
        // A wire that spins asks for no wait at all in the last part, so that this loop turns.
        // Others wait for at least a nanosecond, since no wait at all would be the same loop.
        let (early, least) = if self.spins(index) {
            (SPIN, 0)
        } else {
            (self.lag, 1)
        };
        let limit = rest.saturating_sub(early).max(least);
        self.poll(Some(limit), ready);
        if limit > 1 && ready.tokens().next().is_none() && !ready.woken() {
            // Only a wait that nothing but the time has ended tells how late timers are. The lag
            // is a moving average over about 16 such waits.
            let lag = (monotonic() - now).saturating_sub(limit).min(MOST_LAG);
            self.lag = self.lag - self.lag / 16 + lag / 16;
        }
    }

    fn poll(&self, limit: Option<u64>, ready: &mut PollEvents) {
        self.poller
            .wait(limit, ready)
            .expect("a poller's own descriptor can be waited for");
    }

    /// Handles the requests that are there. Returns false if one of them says to stop.
    fn handle_requests(&mut self) -> bool {
        while let Ok(request) = self.requests.try_recv() {
            match request {
                // The thread that asked holds the lock of the pool until it has its answer.
                WorkerRequest::AddWire(wire, reply) => {
                    reply.send(self.add_wire(wire));
                }
                WorkerRequest::RemoveWire(index, reply) => {
                    reply.send(self.remove_wire(index));
                }
                WorkerRequest::Run(index, task) => {
                    self.with_wire(index, |wire, _, now| task(wire, now));
                }
                WorkerRequest::CarryOutOrders(index) => {
                    self.with_wire(index, Wire::carry_out_orders);
                }
                WorkerRequest::Stop => return false,
            }
        }
        true
    }

    fn add_wire(&mut self, wire: Box<Wire>) -> io::Result<usize> {
        // Numbers are used again, so that a test with many short-lived wires keeps a short list. An
        // alarm of the former wire finds another due time here, and is passed over.
        let free = self.wires.iter().position(Option::is_none);
        let index = free.unwrap_or(self.wires.len());
        for (end, port) in wire.ports().iter().enumerate() {
            self.poller.add(port.as_fd(), token(index, end))?;
        }
        let carried = Some(CarriedWire { wire, alarm: None });
        match free {
            Some(index) => self.wires[index] = carried,
            None => self.wires.push(carried),
        }
        Ok(index)
    }

    fn remove_wire(&mut self, index: usize) -> Option<Box<Wire>> {
        let wire = self.wires.get_mut(index)?.take()?.wire;
        for port in wire.ports() {
            // A port whose interface is gone was removed before.
            let _ = self.poller.remove(port.as_fd());
        }
        Some(wire)
    }

    /// Receives what has come to the port of that token. Returns how many frames of an ordinary
    /// length came.
    fn receive_from(&mut self, token: u64) -> usize {
        let (index, end) = ((token / 2) as usize, (token % 2) as usize);
        // A request of this round may have removed the wire that the poller has told of.
        let Some(Some(carried)) = self.wires.get_mut(index) else {
            return 0;
        };
        let received = carried
            .wire
            .receive(end, &mut self.pool, &mut self.inbox, monotonic);
        if received.is_err() {
            // The port's interface is gone. epoll reports EPOLLERR of such a descriptor whether
            // asked or not (epoll_ctl(2)), so this loop would turn for ever.
            let _ = self.poller.remove(carried.wire.ports()[end].as_fd());
        }
        self.set_alarm(index);
        received.unwrap_or(0)
    }

    /// Delivers the packets that are due, of all wires.
    fn deliver_due_packets(&mut self) {
        // A worker whose wires delay nothing is spared the clock.
        if self.alarms.is_empty() {
            return;
        }
        let now = monotonic();
        while let Some(&Reverse((due, index))) = self.alarms.peek() {
            let until = now + self.head_start(index);
            if due > until {
                return;
            }
            self.alarms.pop();
            // The alarm may be that of a wire that was removed, or of an earlier state of the wire.
            let Some(Some(carried)) = self.wires.get_mut(index) else {
                continue;
            };
            if carried.alarm == Some(due) {
                carried.alarm = None;
                carried.wire.deliver(&mut self.pool, now, until);
                self.set_alarm(index);
            }
        }
    }

    /// Returns how many nanoseconds before it is due a packet is delivered at the earliest.
    fn head_start(&self, index: usize) -> u64 {
        if self.spins(index) {
            self.path()
        } else {
            // A wait always takes the lag, however short it was meant to be. So what is due
            // within half of it is nearer to its time now than after another wait.
            self.path() + self.lag / 2
        }
    }

    /// Returns for how many nanoseconds from `now` a packet is to stay here that is due at `due`.
    fn time_until_departure(&self, due: u64, now: u64) -> u64 {
        due.saturating_sub(self.path()).saturating_sub(now)
    }

    /// Returns the nanoseconds that a packet spends outside of the wire: the kernel's path, and
    /// the wake-up of the thread that waits for it, which takes as long as this thread's own.
    fn path(&self) -> u64 {
        PATH + self.lag.min(LONGEST_WAKE)
    }

    fn spins(&self, index: usize) -> bool {
        let carried = self.wires.get(index).and_then(Option::as_ref);
        carried.is_some_and(|carried| carried.wire.spins())
    }

    /// Does something to a wire, if it is still there, and looks when it has a packet due next.
    fn with_wire(&mut self, index: usize, work: impl FnOnce(&mut Wire, &mut PacketPool, u64)) {
        if let Some(Some(carried)) = self.wires.get_mut(index) {
            work(&mut carried.wire, &mut self.pool, monotonic());
            self.set_alarm(index);
        }
    }

    /// Sets an alarm for the next due packet of a wire, unless there is one.
    fn set_alarm(&mut self, index: usize) {
        let Some(Some(carried)) = self.wires.get_mut(index) else {
            return;
        };
        let Some(due) = carried.wire.next_due() else {
            return;
        };
        // A later alarm stays in the heap: a heap cannot remove from its middle.
        if carried.alarm.is_none_or(|alarm| due < alarm) {
            carried.alarm = Some(due);
            self.alarms.push(Reverse((due, index)));
        }
    }
}

/// Returns the number by which the poller tells of a port: of the wire's number and the end.
fn token(index: usize, end: usize) -> u64 {
    index as u64 * 2 + end as u64
}
