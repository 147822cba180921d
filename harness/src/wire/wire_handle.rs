//! A wire, as threads of a test hold it: they ask the wire's worker, and wait for its answer.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::lateness::Lateness;
use super::wire::Wire;
use super::wire_port::WirePort;
use super::wire_spec::WireSpec;
use super::worker::WorkerRequest;
use super::worker_pool::{self, WorkerSender};
use crate::kernel::sync::answer;
use crate::model::impair::{Counters, Direction, Impairment};
use crate::model::packet::Listener;
use crate::model::rules::RuleBook;

/// A wire that is being carried.
///
/// Dropping the handle ends the wire: after that no thread touches its ports, and they are closed.
pub(crate) struct WireHandle {
    name: Arc<str>,
    worker: WorkerSender,
    /// Number of the wire at its worker.
    index: usize,
    rules: Arc<RuleBook>,
}

impl WireHandle {
    /// Starts to carry frames between two ports, the first of which is at end a.
    ///
    /// An idle wire costs no CPU time: its worker sleeps in epoll_wait(2).
    ///
    /// # Errors
    /// A thread, an epoll or an event descriptor cannot be had.
    pub(crate) fn start(spec: WireSpec, ports: [WirePort; 2]) -> io::Result<Self> {
        let rules = RuleBook::new(&spec.name, crate::events::clock().start());
        let wire = Wire::new(&spec, ports, Arc::clone(&rules));
        let (worker, index) = worker_pool::add_wire(wire)?;
        // A rule that was added before this would not wake the worker. None can be: nobody else
        // has the book yet.
        let waker = worker.clone();
        rules.set_waker(move || waker.send(WorkerRequest::CarryOutOrders(index)));
        Ok(Self {
            name: spec.name,
            worker,
            index,
            rules,
        })
    }

    /// Changes what is done to packets. The change is in force when this returns.
    pub(crate) fn change(&self, direction: Direction, impairment: &Impairment) {
        let impairment = impairment.clone();
        self.ask(move |wire, now| {
            let channel = wire.direction_mut(direction).channel_mut();
            channel.change(&impairment, now);
        });
    }

    /// Returns the impairment that is in force.
    pub(crate) fn impairment(&self, direction: Direction) -> Impairment {
        self.ask(move |wire, _| {
            let channel = wire.direction_mut(direction).channel_mut();
            channel.impairment().clone()
        })
    }

    /// Returns what has passed so far.
    pub(crate) fn counters(&self, direction: Direction) -> Counters {
        self.ask(move |wire, _| wire.counters(direction))
    }

    /// Lets nothing pass any more, until the direction is healed as often as it was cut.
    ///
    /// Packets that come are lost, and packets under way are lost at the time of their delivery.
    pub(crate) fn cut(&self, direction: Direction) {
        self.ask(move |wire, _| wire.direction_mut(direction).cut());
    }

    /// Heals one cut.
    pub(crate) fn heal(&self, direction: Direction) {
        self.ask(move |wire, _| wire.direction_mut(direction).heal());
    }

    /// Returns the packet rules of the wire.
    pub(crate) fn rules(&self) -> &Arc<RuleBook> {
        &self.rules
    }

    /// Adds a listener, who is told of each frame from now on.
    pub(crate) fn listen(&self, listener: Arc<dyn Listener>) {
        self.ask(move |wire, _| wire.add_listener(listener));
    }

    /// Removes a listener. When this returns no thread is telling it anything.
    pub(crate) fn forget(&self, listener: &Arc<dyn Listener>) {
        let address = Arc::as_ptr(listener).addr();
        self.ask(move |wire, _| wire.remove_listener(address));
    }

    /// Sets whether the worker busy-waits for the last part of a wait.
    pub(crate) fn spin(&self, on: bool) {
        self.ask(move |wire, _| wire.set_spin(on));
    }

    /// Returns how late deliveries were against their due time.
    pub(crate) fn lateness(&self) -> Lateness {
        self.ask(|wire, _| wire.lateness())
    }

    /// Runs `work` on the thread that carries the wire, and waits for the result.
    fn ask<T: Send + 'static>(&self, work: impl FnOnce(&mut Wire, u64) -> T + Send + 'static) -> T {
        let (reply, answer) = answer();
        let task = move |wire: &mut Wire, now| {
            // The answer finds room at once: the worker never waits for the thread that asked.
            reply.send(work(wire, now));
        };
        self.worker
            .send(WorkerRequest::Run(self.index, Box::new(task)));
        answer.receive().unwrap_or_else(|| {
            panic!(
                "the thread that carries the packets of link `{}` has panicked",
                self.name
            )
        })
    }
}

impl Drop for WireHandle {
    fn drop(&mut self) {
        // The ports are closed here and not on the worker's thread: close(2) of a packet socket
        // waits for an RCU grace period (net/packet/af_packet.c, packet_release, by
        // synchronize_net), during which the packets of other wires would wait.
        drop(worker_pool::remove_wire(&self.worker, self.index));
    }
}

impl fmt::Debug for WireHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireHandle")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
