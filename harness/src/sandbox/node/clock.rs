//! The time of day that the programs of a node see.
//!
//! The first process traces the programs of a node whose clock may be wrong: it starts and reaps
//! them anyway, nothing in the node can kill it, and what it traces ends with it.

use std::os::fd::{AsFd, BorrowedFd};

use crate::kernel::errno::{Errno, errno};
use crate::kernel::poll;
use crate::kernel::process;
use crate::kernel::process::clock::{ClockTracer, LinearClock};
use crate::kernel::process::signal::SignalFd;
use crate::kernel::procfs::process_table;
use crate::model::clock::ClockRule;
use crate::sandbox::protocol::node::ClockReply;

/// The clock of a node.
pub(super) enum NodeClock {
    /// The clock of the machine: nobody has asked for another.
    Machines,
    /// A clock that can be changed.
    Own(Box<ClockTracer>),
    /// A clock that was to be changed and cannot be, for this errno.
    Refused(Errno),
}

impl NodeClock {
    /// Returns the clock of a node, which may be wrong or not.
    pub(super) fn of(faulty: bool) -> Self {
        if !faulty {
            return Self::Machines;
        }
        match ClockTracer::new() {
            Ok(tracer) => Self::Own(Box::new(tracer)),
            Err(errno) => Self::Refused(errno),
        }
    }

    /// Sets the clock of all programs, those of the future too.
    pub(super) fn set(&mut self, clock: ClockRule) -> ClockReply {
        match self {
            // Such a node has no clock to which the request could apply (errno(3), ENOTTY).
            Self::Machines => ClockReply::Refused(Errno::ENOTTY as i32),
            Self::Refused(errno) => ClockReply::Refused(*errno as i32),
            Self::Own(tracer) => {
                // This process is the first of the PID namespace, so that every program of the node
                // is a descendant, however it was started (pid_namespaces(7)).
                let first = std::process::id().cast_signed();
                let ClockRule {
                    reference,
                    shown,
                    rate,
                } = clock;
                let clock = LinearClock {
                    reference,
                    shown,
                    rate,
                };
                let programs = match process_table::all_descendants(first) {
                    Ok(programs) => programs,
                    Err(error) => return ClockReply::Refused(errno(&error) as i32),
                };
                tracer.set(clock, &programs);
                let unreached = tracer.take_unreached();
                if unreached.is_empty() {
                    ClockReply::Done
                } else {
                    ClockReply::Unreached(unreached.join(", "))
                }
            }
        }
    }

    /// Lets a stopped process go on, after what its stop asks for. Returns whether the process has
    /// asked for the time.
    pub(super) fn handle_stop(&mut self, id: i32, code: i32) -> bool {
        match self {
            Self::Own(tracer) => tracer.handle_stop(id, code),
            Self::Machines | Self::Refused(_) => false,
        }
    }

    /// Returns what traces a new program, if its clock may be wrong.
    pub(super) fn tracing<'a>(&'a mut self, signals: &'a SignalFd) -> Option<Tracing<'a>> {
        match self {
            Self::Own(tracer) => Some(Tracing { tracer, signals }),
            Self::Machines | Self::Refused(_) => None,
        }
    }
}

/// A tracer at the start of a program.
pub(super) struct Tracing<'a> {
    tracer: &'a mut ClockTracer,
    signals: &'a SignalFd,
}

impl Tracing<'_> {
    /// Traces a child that has not executed anything yet.
    pub(super) fn follow(&self, pid: i32) -> crate::kernel::Result<()> {
        self.tracer.follow(pid)
    }

    /// Lets stopped processes go on until `failure` can be read.
    pub(super) fn attend(&mut self, failure: BorrowedFd<'_>) {
        // A signal from another program may stop the child before it executes anything, so stops
        // are handled meanwhile. Ends are left for the first process, which knows whose they are.
        loop {
            while let Some((id, code)) = process::next_stop() {
                self.tracer.handle_stop(id, code);
            }
            match poll::wait_readable([failure, self.signals.as_fd()], None) {
                Ok([true, _]) => return,
                Ok([false, _]) => while self.signals.next().is_some() {},
                Err(_) => {}
            }
        }
    }
}
