//! A clock that is wrong, for as long as a guard lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::kernel::clock::realtime;
use crate::kernel::errno::Errno;
use crate::lab::attempt::NodeAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::faults::guard::Healing;
use crate::lab::node::node::{ClockFaultInForce, Node};
use crate::lab::unfit::UnfitNode;
use crate::model::clock::{ClockFault, ClockRule};
use crate::sandbox::protocol::node::ClockReply;

/// A clock that was made wrong, to be taken right again.
pub(crate) struct WrongClock {
    node: Arc<Node>,
    /// The number by which the node knows the fault.
    number: u64,
}

impl WrongClock {
    /// Makes the clock of a node wrong.
    pub(crate) fn new(node: &Arc<Node>, fault: ClockFault) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let subject = || node.subject();
        fault
            .validate()
            .map_err(|wrong| LabError::invalid_value(subject(), None, wrong))?;
        if !node.request().faulty_clock {
            return Err(LabError::unfit(subject(), UnfitNode::NoClockOfItsOwn));
        }
        // Several guards may have equal faults; each takes its own away.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // The fault is entered before the node is told: a restart meanwhile gives the node this
        // clock too.
        node.clock_faults().lock().push(ClockFaultInForce {
            number,
            began: realtime().cast_signed(),
            fault,
        });
        let wrong = Self {
            node: Arc::clone(node),
            number,
        };
        match node.set_clock() {
            Ok(()) => Ok(wrong),
            Err(refused) => {
                // A second failure says nothing that the first does not say.
                let _ = wrong.end();
                Err(refused)
            }
        }
    }

    fn end(&self) -> Result<()> {
        // Other faults of the clock go on, from where they began.
        let mut faults = self.node.clock_faults().lock();
        faults.retain(|fault| fault.number != self.number);
        drop(faults);
        // A node that does not run, or was removed, has no programs with a clock.
        if self.node.is_removed() || !self.node.is_running() {
            return Ok(());
        }
        self.node.set_clock()
    }
}

impl Healing for WrongClock {
    fn heal(self: Box<Self>) -> Result<()> {
        self.end()
    }
}

impl Node {
    /// Sets the clock of the node, which has just started, if it is wrong.
    pub(crate) fn keep_clock(&self) -> Result<()> {
        if self.clock_faults().lock().is_empty() {
            return Ok(());
        }
        self.set_clock()
    }

    /// Sets the clock of the node to what the faults in force make of it.
    fn set_clock(&self) -> Result<()> {
        // Held until the node has answered: the clock that is set last is the one of all faults.
        let faults = self.clock_faults().lock();
        let clock = ClockRule::under(faults.iter().map(|it| (it.began, it.fault)));
        let reply = self.with_first_process(NodeAttempt::ChangeClock, |it| it.set_clock(clock))?;
        let reason = match reply {
            ClockReply::Done => return Ok(()),
            ClockReply::Refused(errno) => UnfitNode::ClockUnchangeable(Errno::from_raw(errno)),
            ClockReply::Unreached(programs) => UnfitNode::ClockUnreached { programs },
        };
        let subject = self.subject();
        Err(LabError::unfit(subject, reason))
    }
}
