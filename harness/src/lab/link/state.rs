//! The state of a running link: what was asked for, what carries it, whether it is cut or down.
//!
//! Guards of faults, captures and the link itself change one link at the same time. So all of it is
//! one value behind one lock, and each change brings what is asked for and what is in force
//! together again.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::events::{EventKind, Journal};
use crate::impair::{Counters, Direction, Impairment};
use crate::kernel::netlink::Batch;
use crate::lab::error::{LabError, Result};
use crate::lab::link::carried_link::CarriedLink;
use crate::lab::link::carrier::active::ActiveCarrier;
use crate::lab::link::carrier::choose::check_netem;
use crate::lab::link::carrier::detach::detach;
use crate::lab::link::cuts::Cuts;
use crate::lab::link::ends::LinkEnds;
use crate::lab::link::services::LinkServices;
use crate::lab::stack::monitors::{Monitor, Monitors};
use crate::lab::unfit::UnfitLink;
use crate::model::carrier::Carrier;
use crate::model::packet::Listener;
use crate::model::rules::RuleBook;
use crate::model::side::Side;
use crate::netem::find_unsupported;
use crate::topology::Engine;
use crate::topology::plan::Emulation;
use crate::trial::patience::Patience;
use crate::wire::{Lateness, WireHandle};

/// State of a link: wishes of the test, and what is in force.
#[derive(Debug)]
pub(crate) struct LinkState {
    pub(super) carried: CarriedLink,
    pub(super) services: LinkServices,
    pub(super) down: bool,
    engine: Engine,
    /// Impairments by direction, without degradations.
    asked: [Impairment; 2],
    /// Degradations that are in force, each with the number of its guard.
    degradations: Vec<(u64, Impairment)>,
    pub(super) cuts: Cuts,
    pub(super) monitors: Monitors,
    /// Sockets in the groups of an interface that was made anew; see `stack::carried`.
    pub(super) members: Vec<OwnedFd>,
}

impl LinkState {
    /// Returns the journal of the lab.
    pub(crate) fn journal(&self) -> &Arc<Journal> {
        self.services.journal()
    }

    pub(crate) fn new(ends: LinkEnds, active: ActiveCarrier, services: LinkServices) -> Self {
        let (asked, engine) = match ends.cable().emulation.as_deref() {
            Some(Emulation {
                impairments,
                engine,
            }) => (impairments.clone(), *engine),
            None => (Default::default(), Engine::Auto),
        };
        Self {
            carried: CarriedLink::new(ends, active),
            services,
            down: false,
            engine,
            asked,
            degradations: Vec::new(),
            cuts: Cuts::default(),
            monitors: Monitors::default(),
            members: Vec::new(),
        }
    }

    /// Takes over the ends of a changed plan.
    pub(crate) fn set_ends(&mut self, ends: LinkEnds) -> Result<()> {
        self.carried.set_ends(ends)
    }

    pub(crate) fn ends(&self) -> &LinkEnds {
        self.carried.ends()
    }

    /// Returns the kind of carrier.
    pub(crate) fn carrier(&self) -> Carrier {
        self.carried.kind()
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.carrier() == Carrier::Nobody
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down
    }

    /// Returns whether a guard has a direction of the link cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.cuts.any()
    }

    pub(crate) fn patience(&self) -> Patience {
        self.services.patience().clone()
    }

    fn removed_error(&self) -> LabError {
        LabError::removed(self.ends().subject())
    }

    /// Returns the userspace wire. Whatever else carries the link is replaced by one, unless netem
    /// was asked for.
    pub(crate) fn require_wire(&mut self, feature: &'static str) -> Result<&WireHandle> {
        match self.carrier() {
            Carrier::Tap | Carrier::PacketSocket => {}
            Carrier::Nobody => return Err(self.removed_error()),
            Carrier::Veth | Carrier::Netem => {
                if self.engine == Engine::Netem {
                    let reason = UnfitLink::NetemOnly { feature };
                    return Err(LabError::unfit(self.ends().subject(), reason));
                }
                self.change_carrier(Engine::Wire)?;
            }
        }
        let (ends, active) = self.carried.without_shortcut()?.into_parts();
        let wire = active.wire();
        wire.ok_or_else(|| LabError::removed(ends.subject()))
    }

    /// Returns the packet rules of the userspace wire, which [`require_wire`](Self::require_wire)
    /// finds or starts.
    pub(crate) fn require_rules(&mut self, feature: &'static str) -> Result<Arc<RuleBook>> {
        let wire = self.require_wire(feature)?;
        Ok(Arc::clone(wire.rules()))
    }

    /// Records each ruling of the book as an event.
    pub(crate) fn record_rulings(&self, book: &RuleBook) {
        let journal = Arc::clone(self.services.journal());
        let link: Arc<str> = self.ends().name().into();
        book.on_ruling(move |direction, ruling| {
            journal.record(EventKind::PacketRuled {
                link: Arc::clone(&link),
                direction,
                verdict: ruling.verdict,
                rule: Arc::clone(ruling.reason()),
            });
        });
    }

    /// Returns the impairment that is wanted in a direction, with all degradations.
    pub(crate) fn wanted(&self, direction: Direction) -> Impairment {
        let asked = self.asked[direction.index()].clone();
        let degradations = self.degradations.iter().map(|(_, worse)| worse);
        degradations.fold(asked, |so_far, worse| so_far.worsened_by(worse))
    }

    /// Returns the impairments that were asked for, without degradations.
    pub(crate) fn asked(&self) -> &[Impairment; 2] {
        &self.asked
    }

    /// Asks for other impairments, and returns when they are in force. After an error the link is
    /// as before, unless the error is about the replacement of its carrier (`link::carrier`).
    pub(crate) fn ask(&mut self, asked: [Impairment; 2]) -> Result<()> {
        let before = std::mem::replace(&mut self.asked, asked);
        let done = self.enforce();
        if done.is_err() {
            self.asked = before;
            // The first error says what was refused. A second one would be about the same carrier,
            // and the next change or removal of the link meets it again.
            let _ = self.enforce();
        }
        done
    }

    /// Adds a degradation under the number of its guard. After an error the link is as
    /// before, unless the error is about the replacement of its carrier.
    pub(crate) fn degrade(&mut self, number: u64, worse: Impairment) -> Result<()> {
        self.degradations.push((number, worse));
        let done = self.enforce();
        if done.is_err() {
            // Only the first error is told, as in `ask`: the first error is the one to report.
            let _ = self.recover(number);
        }
        done
    }

    /// Takes a degradation away.
    pub(crate) fn recover(&mut self, number: u64) -> Result<()> {
        self.degradations.retain(|(other, _)| *other != number);
        self.enforce()
    }

    /// Brings what is in force to what is wanted, on another carrier where this one cannot do it.
    fn enforce(&mut self) -> Result<()> {
        let wanted = Direction::BOTH.map(|direction| self.wanted(direction));
        // The sum of a possible impairment and of possible degradations may be impossible.
        for (direction, wanted) in Direction::BOTH.into_iter().zip(&wanted) {
            wanted.validate().map_err(|wrong| {
                LabError::invalid_value(self.ends().subject(), Some(direction), wrong)
            })?;
        }
        let is_idle = wanted.iter().all(Impairment::is_none);
        // A wire beside a shortcut has nothing to do already, and the kernel goes on to carry its
        // frames.
        if is_idle && self.carried.has_shortcut() {
            return Ok(());
        }
        let (ends, active) = self.carried.without_shortcut()?.into_parts();
        match active {
            ActiveCarrier::Nobody => Err(LabError::removed(ends.subject())),
            // A veth pair does nothing to packets, which is what is wanted.
            ActiveCarrier::Veth if is_idle => Ok(()),
            ActiveCarrier::Veth => self.change_carrier(self.engine),
            ActiveCarrier::Tap { wire } | ActiveCarrier::PacketSocket { wire, .. } => {
                for (direction, wanted) in Direction::BOTH.into_iter().zip(&wanted) {
                    wire.change(direction, wanted);
                }
                Ok(())
            }
            ActiveCarrier::Netem { egress, .. } => {
                let mtu = ends.cable().mtu;
                // Only `Auto` may leave netem. Who asked for netem gets an error instead, from the
                // check below.
                if self.engine == Engine::Auto
                    && wanted.iter().any(|it| find_unsupported(it, mtu).is_some())
                {
                    // netem is left for good: the wire can do all that netem can.
                    return self.change_carrier(Engine::Wire);
                }
                check_netem(ends, &wanted)?;
                for (egress, wanted) in egress.iter_mut().zip(&wanted) {
                    let changed = egress.change(wanted);
                    changed.map_err(|e| ends.link_refused(e))?;
                }
                Ok(())
            }
        }
    }

    /// Adds a listener for all frames, whatever carries them, and returns the number of its
    /// monitor.
    pub(crate) fn listen(&mut self, listener: Arc<dyn Listener>) -> Result<u64> {
        // A monitor of what the kernel carries sits at the first end: frames that leave there go
        // from a to b.
        let carried = self.carried.without_shortcut()?;
        let ends = carried.ends();
        let mut monitor = Monitor::new(ends.name(), ends.device(Side::A).index, listener);
        carried.connect(&mut monitor)?;
        Ok(self.monitors.add(monitor))
    }

    /// Removes the monitor of a listener.
    pub(crate) fn forget(&mut self, number: u64) {
        if let Some(monitor) = self.monitors.remove(number) {
            self.carried.forget(monitor.listener());
        }
    }

    /// Waits until the listener of a monitor has been told of all frames that have passed by now.
    pub(crate) fn drain(&self, number: u64) {
        self.monitors.drain(number);
    }

    pub(super) fn reattach_monitors(&mut self) -> Result<()> {
        let carried = self.carried.without_shortcut()?;
        let mut monitors = self.monitors.iter_mut();
        monitors.try_for_each(|monitor| carried.connect(monitor))
    }

    /// Counts one more guard that wants a direction cut.
    pub(crate) fn cut(&mut self, direction: Direction) -> Result<()> {
        if self.is_removed() {
            return Err(self.removed_error());
        }
        self.cuts.cut(direction, &self.carried.without_shortcut()?)
    }

    /// Counts one guard less that wants a direction cut. A link that was removed has nothing to
    /// heal.
    pub(crate) fn heal(&mut self, direction: Direction) -> Result<()> {
        if self.is_removed() {
            return Ok(());
        }
        self.cuts.heal(direction, &self.carried.without_shortcut()?)
    }

    /// Returns what has passed in a direction since the link has its carrier.
    pub(crate) fn counters(&mut self, direction: Direction) -> Result<Counters> {
        let cut = self.cuts.counts(direction);
        self.carried.counters(direction, cut)
    }

    /// Takes the link down: both interfaces between nodes, the port at a switch.
    pub(crate) fn take_down(&mut self) -> Result<()> {
        if self.down {
            return Ok(());
        }
        let carried = self.carried.without_shortcut()?;
        let ends = carried.ends();
        // At a switch only the port goes down, so that the node keeps its addresses and routes.
        for side in ends.ends_that_go_down() {
            let mut batch = Batch::new();
            batch.set_down(ends.device(side));
            ends.execute(side, batch)?;
        }
        carried.set_node_lower_up(false)?;
        self.down = true;
        Ok(())
    }

    /// Brings the link up again, and returns when packets pass.
    pub(crate) fn bring_up(&mut self) -> Result<()> {
        if !self.down {
            return Ok(());
        }
        // The node's interface first, so that the node can answer as soon as its port is up.
        let carried = self.carried.without_shortcut()?;
        carried.set_node_lower_up(true)?;
        let ends = carried.ends();
        for side in ends.ends_that_go_down() {
            ends.raise(side)?;
        }
        self.down = false;
        ends.await_up(&ends.ends_that_go_down())?;
        ends.give_back();
        Ok(())
    }

    /// Takes the link away for good.
    pub(crate) fn remove(&mut self) -> Result<()> {
        // The filters at interfaces of nodes would outlive the link, where the interface stays.
        self.cuts.detach();
        self.monitors = Monitors::default();
        self.members.clear();
        let before = self.carried.take();
        detach(self.carried.ends(), before)
    }

    /// Ends the link with its lab, and returns how late its wire was. Guards of faults may live on,
    /// with nothing to guard.
    pub(crate) fn close(&mut self) -> Option<Lateness> {
        // The wire is asked before it is dropped, which ends its books.
        let lateness = self.carried.lateness();
        self.monitors = Monitors::default();
        self.members.clear();
        drop(self.carried.take());
        self.cuts = Cuts::default();
        lateness
    }
}
