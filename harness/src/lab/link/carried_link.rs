//! A link with its carrier, and the access to the carrier.
//!
//! While a wire has nothing to do, the kernel carries its frames by a shortcut (see
//! `carrier::shortcut`). Code that decides what becomes of frames, or has to see each of them, must
//! end the shortcut first: otherwise frames bypass that code without an error. So the carrier is
//! private here, and [`CarriedLink::without_shortcut`] is the only access to it. The other
//! functions neither change nor see a frame.

use std::sync::Arc;

use crate::impair::{Counters, Direction};
use crate::kernel::netlink::Batch;
use crate::lab::error::{LabError, Result};
use crate::lab::link::carrier::active::ActiveCarrier;
use crate::lab::link::carrier::wire_interface::{self, WireInterface};
use crate::lab::link::counters::counters;
use crate::lab::link::cuts::FilterCounts;
use crate::lab::link::ends::LinkEnds;
use crate::lab::stack::monitors::Monitor;
use crate::model::carrier::Carrier;
use crate::model::packet::Listener;
use crate::model::side::Side;
use crate::wire::{Lateness, WireHandle};

/// The ends of a link, and what carries the link at present.
#[derive(Debug)]
pub(crate) struct CarriedLink {
    ends: LinkEnds,
    active: ActiveCarrier,
}

/// A carrier to which all frames of its link come. Only [`CarriedLink::without_shortcut`] makes
/// one.
pub(crate) struct WithoutShortcut<'a> {
    ends: &'a LinkEnds,
    active: &'a mut ActiveCarrier,
}

impl CarriedLink {
    pub(super) fn new(ends: LinkEnds, active: ActiveCarrier) -> Self {
        Self { ends, active }
    }

    pub(super) fn ends(&self) -> &LinkEnds {
        &self.ends
    }

    /// Returns the kind of carrier.
    pub(super) fn kind(&self) -> Carrier {
        self.active.kind()
    }

    /// Returns whether a userspace wire carries the link.
    pub(super) fn has_wire(&self) -> bool {
        self.active.wire().is_some()
    }

    /// Returns whether the kernel carries frames beside the wire. Such a link has no impairment.
    pub(super) fn has_shortcut(&self) -> bool {
        self.active.has_shortcut()
    }

    /// Ends the shortcut, and returns the carrier, to which all frames come from now on.
    pub(super) fn without_shortcut(&mut self) -> Result<WithoutShortcut<'_>> {
        let Self { ends, active } = self;
        active.leave_shortcut(ends)?;
        Ok(WithoutShortcut { ends, active })
    }

    /// Takes over the ends of a changed plan. An error means that frames still bypass the
    /// translation of addresses that the plan now has for the wire.
    pub(super) fn set_ends(&mut self, ends: LinkEnds) -> Result<()> {
        self.ends = ends;
        // The translation is the work of the wire, past which a shortcut leads.
        if self.ends.cable().translates() {
            self.without_shortcut()?;
        }
        Ok(())
    }

    /// Returns what has passed in a direction. The counts of a shortcut are among them.
    pub(super) fn counters(&mut self, direction: Direction, cut: FilterCounts) -> Result<Counters> {
        counters(direction, &self.ends, &mut self.active, cut)
    }

    /// Makes a wire tell a listener of no more frames.
    pub(super) fn forget(&self, listener: &Arc<dyn Listener>) {
        if let Some(wire) = self.active.wire() {
            wire.forget(listener);
        }
    }

    /// Returns how late the wire was, if one carries the link.
    pub(super) fn lateness(&self) -> Option<Lateness> {
        self.active.wire().map(WireHandle::lateness)
    }

    /// Takes the carrier out. Nobody carries the link then.
    pub(super) fn take(&mut self) -> ActiveCarrier {
        std::mem::replace(&mut self.active, ActiveCarrier::Nobody)
    }

    /// Puts a new carrier in.
    pub(super) fn put(&mut self, active: ActiveCarrier) {
        self.active = active;
    }
}

impl<'a> WithoutShortcut<'a> {
    pub(super) fn ends(&self) -> &'a LinkEnds {
        self.ends
    }

    pub(super) fn active(&self) -> &ActiveCarrier {
        self.active
    }

    /// Returns the ends and the carrier, for a change of what the carrier does.
    pub(super) fn into_parts(self) -> (&'a LinkEnds, &'a mut ActiveCarrier) {
        (self.ends, self.active)
    }

    /// Attaches a monitor to a wire, or to the first end of what the kernel carries.
    pub(super) fn connect(&self, monitor: &mut Monitor) -> Result<()> {
        let ends = self.ends;
        match self.active() {
            ActiveCarrier::Nobody => Err(LabError::removed(ends.subject())),
            ActiveCarrier::Tap { wire } | ActiveCarrier::PacketSocket { wire, .. } => {
                wire.listen(Arc::clone(monitor.listener()));
                Ok(())
            }
            ActiveCarrier::Veth | ActiveCarrier::Netem { .. } => {
                // The port of a switch may be another one since the last time.
                monitor.attach_to(ends.require_netns(Side::A)?, ends.device(Side::A).index)
            }
        }
    }

    /// Lets the node's interface see a pulled cable, or a plugged one (IFF_LOWER_UP of
    /// netdevice(7)), if the interface that goes down and up is the port at a switch.
    ///
    /// An end of a veth pair sees its peer go down (veth(4)). Any other carrier of the link stands
    /// between the port and the node's interface, so that the node would not notice.
    pub(super) fn set_node_lower_up(&self, on: bool) -> Result<()> {
        let ends = self.ends;
        if ends.only_port().is_none() {
            return Ok(());
        }
        for side in Side::BOTH {
            if ends.is_port(side) {
                continue;
            }
            match self.active() {
                ActiveCarrier::Veth | ActiveCarrier::Nobody => {}
                ActiveCarrier::Tap { .. } => {
                    let mut batch = Batch::new();
                    batch.set_carrier(ends.device(side), on);
                    ends.execute(side, batch)?;
                }
                ActiveCarrier::PacketSocket { namespace, .. }
                | ActiveCarrier::Netem { namespace, .. } => {
                    let inner = WireInterface::inner_end(ends, side);
                    let mut batch = Batch::new();
                    if on {
                        batch.set_up(inner.device());
                    } else {
                        batch.set_down(inner.device());
                    }
                    wire_interface::execute(ends, namespace, batch)?;
                }
            }
        }
        Ok(())
    }
}
