//! What a test's threads have of a wire.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::crew::{self, Mailbox};
use super::lateness::Lateness;
use super::line::Line;
use super::port::Port;
use super::worker::Request;
use crate::impair::Counters;
use crate::impair::Direction;
use crate::impair::Impairment;
use crate::observe::{Listener, RuleBook};

/// What a wire is to be.
pub(crate) struct WireSpec {
    /// The link's, for packets and messages.
    pub(crate) name: Arc<str>,
    /// Of the link: made of the trial's and the link's name.
    pub(crate) seed: u64,
    /// By the direction's index; they have been validated.
    pub(crate) impairments: [Impairment; 2],
    /// Whether to busy-wait for the last part of a wait: exacter, and it costs a core.
    pub(crate) spin: bool,
}

/// Has a wire carried between two ports, the first of which is at a.
///
/// An idle wire costs no CPU time.
pub(crate) fn carry(spec: WireSpec, ports: [Port; 2]) -> io::Result<Wire> {
    let rules = RuleBook::new(&spec.name);
    let line = Line::new(&spec, ports, Arc::clone(&rules));
    let (mailbox, index) = crew::carry(line)?;
    let waker = mailbox.clone();
    rules.set_waker(move || waker.post(Request::Obey(index)));
    Ok(Wire {
        name: spec.name,
        mailbox,
        index,
        rules,
    })
}

/// A wire that is being carried. Dropping it ends the wire: after that no thread touches its ports any more, and they are closed.
pub(crate) struct Wire {
    name: Arc<str>,
    mailbox: Mailbox,
    index: usize,
    rules: Arc<RuleBook>,
}

impl Wire {
    /// Changes what is done to packets; it is in force when this returns.
    pub(crate) fn change(&self, direction: Direction, impairment: &Impairment) {
        let impairment = impairment.clone();
        self.ask(move |line, now| line.lane(direction).channel.change(&impairment, now));
    }

    /// What is in force.
    pub(crate) fn impairment(&self, direction: Direction) -> Impairment {
        self.ask(move |line, _| line.lane(direction).channel.impairment().clone())
    }

    pub(crate) fn counters(&self, direction: Direction) -> Counters {
        self.ask(move |line, _| line.counters(direction))
    }

    /// Lets nothing pass any more, until it is healed as often as it was cut. What comes is lost, and what is under way is lost when it would have come out.
    pub(crate) fn cut(&self, direction: Direction) {
        self.ask(move |line, _| line.lane(direction).cuts += 1);
    }

    /// Mends one cut.
    pub(crate) fn heal(&self, direction: Direction) {
        self.ask(move |line, _| {
            let cuts = &mut line.lane(direction).cuts;
            *cuts = cuts.saturating_sub(1);
        });
    }

    pub(crate) fn rules(&self) -> &Arc<RuleBook> {
        &self.rules
    }

    /// Tells one more listener of each frame, until it is forgotten.
    pub(crate) fn listen(&self, listener: Arc<dyn Listener>) {
        self.ask(move |line, _| line.watch.listeners.push(listener));
    }

    /// Tells a listener of nothing any more; it is not being told when this returns.
    pub(crate) fn forget(&self, listener: &Arc<dyn Listener>) {
        let which = Arc::as_ptr(listener).addr();
        let is_other = move |one: &Arc<dyn Listener>| Arc::as_ptr(one).addr() != which;
        self.ask(move |line, _| line.watch.listeners.retain(is_other));
    }

    /// Whether to busy-wait for the last part of a wait.
    pub(crate) fn spin(&self, on: bool) {
        self.ask(move |line, _| line.spin = on);
    }

    /// How late deliveries were against their due time.
    pub(crate) fn lateness(&self) -> Lateness {
        self.ask(|line, _| line.lateness())
    }

    /// Has the wire's thread do something, and waits for it.
    fn ask<T: Send + 'static>(&self, work: impl FnOnce(&mut Line, u64) -> T + Send + 'static) -> T {
        let (reply, answer) = sync_channel(1);
        let work = move |line: &mut Line, now| {
            let _ = reply.send(work(line, now));
        };
        self.mailbox.post(Request::Do(self.index, Box::new(work)));
        answer.recv().unwrap_or_else(|_| {
            panic!(
                "the thread that carries the packets of link `{}` has panicked",
                self.name
            )
        })
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Its ports are closed here, not on the thread that carries other wires: that takes the kernel a while.
        drop(crew::end(&self.mailbox, self.index));
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
