//! Partitions: nodes of one side that do not hear nodes of another side.
//!
//! A partition holds whatever way packets take, so it cannot be a set of cut links. What was sent
//! by the other side is told by MAC and IP addresses, and dropped on the way to a receiver: by the
//! switch to which the node is plugged, or else by the interface of the node. Packets that a slow
//! link carries to the node are behind the switch already, so that interface drops them.
//!
//! All of a partition takes effect at one instant, as [`SenderDrop`] explains: by one transaction
//! where switches do all of it, and else at one nanosecond of the clock that namespaces share.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use crate::events::{EventKind, Journal};
use crate::kernel::clock;
use crate::kernel::errno::Errno;
use crate::kernel::netlink::{Device, NetlinkError};
use crate::kernel::nft::{DropTime, ReceiverPorts, SenderDrop, Senders};
use crate::lab::error::{LabError, Result};
use crate::lab::faults::guard::{Healing, complain};
use crate::lab::faults::view::{LabView, ViewedLink};
use crate::lab::stack::stack::{Stack, StackFilter, stack_subject};
use crate::lab::unfit::UnfitNode;
use crate::model::carrier::Carrier;
use crate::model::side::Side;
use crate::topology::NodeId;
use crate::topology::plan::{InterfacePlan, StackId};

/// Bounds of the time between the order to all namespaces and the instant at which they obey.
///
/// Within them it is three times as long as it took to prepare the rules, so that it grows on a
/// busy machine. Five orders take some 200 µs (measured for this project, 2026-11).
const AHEAD: [Duration; 2] = [Duration::from_micros(500), Duration::from_millis(100)];

/// The nodes that do not hear others, and those others.
#[derive(Debug, Default)]
pub(crate) struct Separation {
    /// Stacks that send, for each reason not to get packets.
    senders: Vec<BTreeSet<StackId>>,
    /// The reasons of each receiver, as indices of `senders`.
    reasons: BTreeMap<StackId, Vec<usize>>,
}

impl Separation {
    /// Adds that the nodes of `to` do not hear those of `from`.
    pub(crate) fn add(&mut self, lab: &LabView, from: &[NodeId], to: &[NodeId]) -> Result<()> {
        let stacks = |nodes: &[NodeId]| -> BTreeSet<StackId> {
            let stack = |node: &NodeId| lab.plan.nodes[node.index()].stack;
            nodes.iter().map(stack).collect()
        };
        let (from, to) = (stacks(from), stacks(to));
        if let Some(both) = from.intersection(&to).next() {
            let subject = stack_subject(&lab.plan, *both);
            return Err(LabError::unfit(subject, UnfitNode::OnBothSides));
        }
        for receiver in to {
            let reasons = self.reasons.entry(receiver).or_default();
            reasons.push(self.senders.len());
        }
        self.senders.push(from);
        Ok(())
    }

    /// Returns the receivers, together with those that hear as little as they do.
    fn groups(&self) -> BTreeMap<&[usize], Vec<StackId>> {
        let mut groups = BTreeMap::<&[usize], Vec<StackId>>::new();
        for (stack, reasons) in &self.reasons {
            // Equal reasons share their sets: two halves of a large lab take two of them.
            groups.entry(reasons).or_default().push(*stack);
        }
        groups
    }

    /// Returns what tells the frames of all senders that a group does not hear.
    fn senders(&self, lab: &LabView, reasons: &[usize]) -> Senders {
        let stacks = reasons.iter().flat_map(|reason| &self.senders[*reason]);
        let stacks: BTreeSet<&StackId> = stacks.collect();
        let interfaces: Vec<&InterfacePlan> = stacks
            .into_iter()
            .flat_map(|stack| &lab.plan[*stack].interfaces)
            .collect();
        // Frames of a neighbour have its MAC address. Frames that a third node forwards have that
        // node's MAC address, and the sender is known by the IP address alone.
        let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
        Senders {
            macs: interfaces.iter().map(|interface| interface.mac).collect(),
            addresses: addresses.map(|address| address.ip).collect(),
        }
    }
}

/// Nodes that do not hear each other for as long as this lives.
#[derive(Debug)]
pub(crate) struct Partition {
    places: Vec<Place>,
    /// Time that it took to prepare the rules.
    prepared_in: Duration,
    journal: Arc<Journal>,
}

/// A namespace in which frames are dropped, all at once.
#[derive(Debug)]
enum Place {
    /// The namespace of the switches.
    Hub(SenderDrop),
    /// The namespace of a node.
    Stack(StackFilter),
}

impl Place {
    fn make(&mut self) -> Result<(), NetlinkError> {
        match self {
            Self::Hub(hub) => hub.make(),
            Self::Stack(filter) => filter.make(),
        }
    }

    fn close(&mut self, from: DropTime) -> Result<(), NetlinkError> {
        match self {
            Self::Hub(hub) => hub.close(from),
            Self::Stack(filter) => filter.close(from),
        }
    }

    fn open_gate(&mut self, from: DropTime) -> Result<(), NetlinkError> {
        match self {
            Self::Hub(hub) => hub.open_gate(from),
            Self::Stack(filter) => filter.open_gate(from),
        }
    }

    /// Removes the rules, and returns what is left to be dropped.
    fn remove(self) -> Result<Option<SenderDrop>, NetlinkError> {
        match self {
            Self::Hub(mut hub) => hub.remove().map(|()| Some(hub)),
            Self::Stack(filter) => filter.remove(),
        }
    }
}

impl Partition {
    /// Separates nodes, all at one instant.
    pub(crate) fn new(lab: &LabView, separation: &Separation) -> Result<Self> {
        let begun = Self::prepared(lab, separation, true)?;
        match begun.begin() {
            Err((error, mut refused)) if !has_bridges(&error) => {
                // The kernel refused everything, so that nothing was changed.
                refused.places.clear();
                let begun = Self::prepared(lab, separation, false)?;
                begun.begin().map_err(|(error, _)| explain(error))
            }
            begun => begun.map_err(|(error, _)| explain(error)),
        }
    }

    /// Finds the places where frames are to be dropped.
    fn prepared(lab: &LabView, separation: &Separation, at_switches: bool) -> Result<Self> {
        let mut places = Vec::new();
        let (mut hub, mut ports) = (None, Vec::new());
        for (reasons, stacks) in separation.groups() {
            let from = separation.senders(lab, reasons);
            let mut receiver = ReceiverPorts {
                ports: Vec::new(),
                from: from.clone(),
            };
            for stack in stacks {
                let stack = &lab.stacks[stack.index()];
                let mut devices: Vec<Device<'_>> = Vec::new();
                for (link, side) in ends_in(lab, stack) {
                    let far = side.other();
                    // A slow link still delivers what is behind the switch already.
                    match link.ends.hub(far) {
                        Some(namespace) if at_switches && is_plain(link) => {
                            hub = Some(namespace);
                            receiver.ports.extend(link.ends.port_indices(far));
                        }
                        Some(_) | None => devices.push(link.ends.device(side)),
                    }
                }
                if !devices.is_empty() {
                    let filter = stack.filter(&devices, from.clone());
                    places.push(Place::Stack(filter.map_err(explain)?));
                }
            }
            if !receiver.ports.is_empty() {
                ports.push(receiver);
            }
        }
        // One table for all ports, since one table is one transaction.
        if let Some(hub) = hub {
            let filter = SenderDrop::of_ports(hub.as_fd(), &ports);
            places.push(Place::Hub(filter.map_err(explain)?));
        }
        Ok(Self {
            places,
            prepared_in: Duration::ZERO,
            journal: Arc::clone(&lab.journal),
        })
    }

    /// Drops the frames from one instant on.
    fn begin(mut self) -> Result<Self, (NetlinkError, Self)> {
        let begun = match &mut self.places[..] {
            [place] => place.close(DropTime::Now),
            places => {
                let start = clock::monotonic();
                let made = places.iter_mut().try_for_each(Place::make);
                self.prepared_in = Duration::from_nanos(clock::monotonic() - start);
                made.and_then(|()| self.at_one_instant(Place::close))
            }
        };
        match begun {
            Ok(()) => Ok(self),
            Err(error) => Err((error, self)),
        }
    }

    fn end(&mut self) -> Result<()> {
        let opened = match &self.places[..] {
            // The removal of one table is one transaction too.
            [] | [_] => Ok(()),
            _ => self.at_one_instant(Place::open_gate),
        };
        // Each filter is removed even if another one could not be.
        let places = std::mem::take(&mut self.places);
        // All are removed before any is dropped: the drops wait for the kernel, which destroys the
        // rules of all namespaces at the same time.
        let removed: Vec<_> = places.into_iter().map(Place::remove).collect();
        let removed = removed.into_iter().map(|one| one.map(drop));
        removed.fold(opened, Result::and).map_err(explain)
    }

    /// Has several namespaces change at one instant.
    fn at_one_instant(
        &mut self,
        change: impl Fn(&mut Place, DropTime) -> Result<(), NetlinkError>,
    ) -> Result<(), NetlinkError> {
        // A thread that has slept has a whole slice of a processor before it, and the orders take
        // less than one (kernel/sched/fair.c, place_entity).
        std::thread::sleep(Duration::from_nanos(1));
        let ahead = (self.prepared_in * 3).clamp(AHEAD[0], AHEAD[1]);
        let ahead = ahead.as_nanos() as u64;
        let at = clock::realtime() + ahead;
        // The waits are by the other clock, which nobody sets.
        let over = clock::monotonic() + ahead;
        for place in &mut self.places {
            change(place, DropTime::At(at))?;
        }
        let now = clock::monotonic();
        if now < over {
            // Nothing could be asked instead: the rules compare the time of each frame with the
            // instant, and the kernel tells nobody that it has come.
            std::thread::sleep(Duration::from_nanos(over - now));
        } else {
            let within = Duration::from_nanos(now - over);
            self.journal.record(EventKind::PartitionLate { within });
        }
        // The time of day may be set back later on, and the rules must not change again.
        let mut places = self.places.iter_mut();
        places.try_for_each(|place| change(place, DropTime::Now))
    }
}

/// Tells whether the kernel refused anything but the packet filter of bridges.
fn has_bridges(error: &NetlinkError) -> bool {
    // EOPNOTSUPP: there is no such family of tables (nf_tables_api.c, nft_supported_family).
    // ENOENT: there is no such type of chains (nf_tables_api.c, nf_tables_chain_type_lookup).
    let lacks = [Errno::EOPNOTSUPP, Errno::ENOENT];
    !error.errno().is_some_and(|errno| lacks.contains(&errno))
}

fn explain(error: NetlinkError) -> LabError {
    LabError::network("a partition", error)
}

/// Returns the ends of links that are in a stack. Packets may come over any of them.
fn ends_in<'s>(
    lab: &'s LabView,
    stack: &'s Arc<Stack>,
) -> impl Iterator<Item = (&'s ViewedLink, Side)> {
    let all = lab
        .links
        .iter()
        .flat_map(|link| Side::BOTH.map(|side| (link, side)));
    all.filter(|(link, side)| {
        let there = link.ends.stack(*side);
        there.is_some_and(|there| Arc::ptr_eq(there, stack))
    })
}

/// Tells whether a link holds no packets back.
fn is_plain(link: &ViewedLink) -> bool {
    link.state.lock().carrier() == Carrier::Veth
}

impl Healing for Partition {
    fn heal(mut self: Box<Self>) -> Result<()> {
        self.end()
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        complain(self.end());
    }
}
