//! Attaches a carrier: first the ends of the link, then what joins them.
//!
//! A new interface sends by itself: neighbour discovery and multicast reports
//! (net/ipv6/addrconf.c). On a plain veth pair these frames are gone before the lab is ready. With
//! other carriers they would stand in counters and captures. So the ends are made and settled
//! first, and joined when they are quiet.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::events::Journal;
use crate::impair::{Direction, Impairment, Traffic};
use crate::kernel::errno::RefusedCall;
use crate::kernel::frames::{BATCH, Inbox, PacketSocket, TapDevice};
use crate::kernel::netlink::{Batch, Device, Netlink, Veth, VethEnd};
use crate::kernel::netns::Netns;
use crate::lab::attempt::NetworkAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::failure::FailureReason;
use crate::lab::link::carrier::active::ActiveCarrier;
use crate::lab::link::carrier::choose::choose;
use crate::lab::link::carrier::shortcut::Shortcut;
use crate::lab::link::carrier::wire_interface::{WireInterface, execute, refused};
use crate::lab::link::cuts::Cuts;
use crate::lab::link::ends::LinkEnds;
use crate::lab::link::services::WireNamespace;
use crate::model::carrier::Carrier;
use crate::model::side::Side;
use crate::netem::NetemDevice;
use crate::topology::LinkId;
use crate::topology::plan::Plan;
use crate::wire::{WireHandle, WirePort, WireSpec};

/// A carrier whose ends are there and not joined yet.
pub(crate) enum PendingCarrier {
    /// The two ends of a veth pair need nothing between them.
    Veth,
    Tap([TapDevice; 2]),
    /// Both inner ends are there, for a repeater with netem.
    Netem(Arc<OwnedFd>),
    /// Both inner ends are there, for packet sockets.
    PacketSocket(Arc<OwnedFd>),
}

/// Attaches the ends of a link as its plan says. A plain link is not touched: veth pairs are made
/// in batches, see `bring_up::cables`.
pub(crate) fn attach_planned(ends: &LinkEnds, namespace: &WireNamespace) -> Result<PendingCarrier> {
    let Some(emulation) = ends.cable().emulation.as_deref() else {
        return Ok(PendingCarrier::Veth);
    };
    let carrier = choose(ends, namespace, emulation.engine, &emulation.impairments)?;
    attach_ends(ends, namespace, carrier)
}

/// Attaches the ends of a link for a carrier.
pub(crate) fn attach_ends(
    ends: &LinkEnds,
    namespace: &WireNamespace,
    carrier: Carrier,
) -> Result<PendingCarrier> {
    Ok(match carrier {
        Carrier::Tap => {
            PendingCarrier::Tap([tap_device(ends, Side::A)?, tap_device(ends, Side::B)?])
        }
        Carrier::Netem => {
            let namespace = namespace.get()?;
            inner_veths(ends, &namespace, LargestBatch::of(carrier))?;
            PendingCarrier::Netem(namespace)
        }
        Carrier::PacketSocket => {
            let namespace = namespace.get()?;
            inner_veths(ends, &namespace, LargestBatch::of(carrier))?;
            PendingCarrier::PacketSocket(namespace)
        }
        Carrier::Veth | Carrier::Nobody => PendingCarrier::Veth,
    })
}

/// Records the carriers of new links, but for plain ones.
pub(crate) fn record_carriers(
    pending: &BTreeMap<LinkId, PendingCarrier>,
    plan: &Plan,
    journal: &Journal,
) {
    let impaired = pending
        .iter()
        .filter(|(_, pending)| !matches!(pending, PendingCarrier::Veth));
    let carriers: Vec<(String, Carrier)> = impaired
        .map(|(link, pending)| (plan[*link].name.clone(), pending.kind()))
        .collect();
    journal.record_carriers(&carriers);
}

impl PendingCarrier {
    /// Returns the carrier of a link that was plain, whose inner ends are there by now.
    pub(crate) fn between_inner_ends(carrier: Carrier, namespace: Arc<OwnedFd>) -> Self {
        match carrier {
            Carrier::Netem => Self::Netem(namespace),
            // A TAP device would be another interface in the node.
            Carrier::Tap | Carrier::PacketSocket | Carrier::Veth | Carrier::Nobody => {
                Self::PacketSocket(namespace)
            }
        }
    }

    fn kind(&self) -> Carrier {
        match self {
            Self::Veth => Carrier::Veth,
            Self::Tap(_) => Carrier::Tap,
            Self::Netem(_) => Carrier::Netem,
            Self::PacketSocket(_) => Carrier::PacketSocket,
        }
    }

    /// Joins the ends of a new link: from now on frames pass.
    pub(crate) fn join_new(
        self,
        ends: &LinkEnds,
        impairments: &[Impairment; 2],
    ) -> Result<ActiveCarrier> {
        match self {
            Self::PacketSocket(namespace) => {
                let shortcut = Shortcut::begin(ends, &namespace, impairments);
                join_by_sockets(ends, namespace, impairments, &Cuts::default(), shortcut)
            }
            other @ (Self::Veth | Self::Tap(_) | Self::Netem(_)) => {
                other.join(ends, impairments, &mut Cuts::default())
            }
        }
    }

    /// Joins the ends: from now on frames pass, but for those of directions that are cut.
    pub(crate) fn join(
        self,
        ends: &LinkEnds,
        impairments: &[Impairment; 2],
        cuts: &mut Cuts,
    ) -> Result<ActiveCarrier> {
        match self {
            Self::Veth => Ok(ActiveCarrier::Veth),
            Self::Tap(taps) => {
                // The kernel queues frames at a TAP device that nobody reads. They are older than
                // the link.
                taps.iter().try_for_each(|tap| discard_queued(ends, tap))?;
                let wire = start_wire(ends, taps.map(WirePort::Tap), impairments, cuts)?;
                Ok(ActiveCarrier::Tap { wire })
            }
            Self::Netem(namespace) => join_by_repeater(ends, namespace, impairments, cuts),
            Self::PacketSocket(namespace) => {
                join_by_sockets(ends, namespace, impairments, cuts, None)
            }
        }
    }
}

/// Reads and drops what the kernel has queued at a TAP device while the interface was settled.
fn discard_queued(ends: &LinkEnds, tap: &TapDevice) -> Result<()> {
    let mut inbox = Inbox::new(BATCH);
    loop {
        match tap.receive(&mut inbox) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(errno) => {
                let link = ends.name().to_owned();
                let what = NetworkAttempt::ReadEnd { link };
                return Err(LabError::refused(what, errno).about(ends.subject()));
            }
        }
    }
}

/// Makes a TAP device as one end, without addresses. As a port of a bridge it is up; in a stack it
/// is down.
fn tap_device(ends: &LinkEnds, side: Side) -> Result<TapDevice> {
    let Device { index, name } = ends.device(side);
    let made = Netns::visit(ends.require_netns(side)?, || TapDevice::create(name, index))
        .map_err(|errno| ends.not_entered(side, errno))?;
    let tap = made.map_err(|RefusedCall { call, errno }| {
        let (name, whose) = (name.to_owned(), ends.whose(side));
        let what = NetworkAttempt::MakeTap { name, call, whose };
        LabError::refused(what, errno).about(ends.subject())
    })?;
    let end = &ends.cable().ends[side];
    let mut batch = Batch::new();
    // A TAP device gets a random address when it is created; the plan has another.
    batch.set_mac(ends.device(side), end.mac);
    batch.set_mtu(ends.device(side), ends.cable().mtu);
    if let Some(bridge) = &end.bridge {
        // A port needs no address. It must have none before it is up, or the kernel would begin
        // with IPv6 autoconfiguration there.
        batch.disable_address_generation(ends.device(side));
        batch.set_master(ends.device(side), Some(bridge.index));
        batch.set_up(ends.device(side));
        batch.sync_link_watch(ends.device(side));
    }
    ends.execute(side, batch)?;
    Ok(tap)
}

/// The largest batch of packets that an end hands over in one piece.
#[derive(Clone, Copy)]
pub(crate) enum LargestBatch {
    /// netem delays, loses and counts what it is handed as one packet, so each packet must come
    /// alone (net/sched/sch_netem.c).
    OnePacket,
    /// A wire tells the packets of a batch apart by itself.
    Unlimited,
}

impl LargestBatch {
    /// Returns the largest batch that a carrier between two inner ends can be handed.
    pub(crate) fn of(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Netem => Self::OnePacket,
            Carrier::Tap | Carrier::PacketSocket | Carrier::Veth | Carrier::Nobody => {
                Self::Unlimited
            }
        }
    }

    /// Adds the request that limits what a new device hands over.
    pub(crate) fn limit(self, batch: &mut Batch, device: Device<'_>) {
        match self {
            Self::OnePacket => batch.set_gso_max_segments(device, 1),
            Self::Unlimited => {}
        }
    }
}

/// Makes a veth pair from each end to the wire namespace, with the inner ends up.
fn inner_veths(ends: &LinkEnds, namespace: &OwnedFd, largest: LargestBatch) -> Result<()> {
    let mut sides = Side::BOTH.into_iter();
    sides.try_for_each(|side| inner_veth(ends, side, ends.device(side), namespace, largest))
}

/// Makes the veth pair from one end to the wire namespace, with the inner end up.
pub(crate) fn inner_veth(
    ends: &LinkEnds,
    side: Side,
    device: Device<'_>,
    namespace: &OwnedFd,
    largest: LargestBatch,
) -> Result<()> {
    let inner = WireInterface::inner_end(ends, side);
    let end = &ends.cable().ends[side];
    // Each end is created in the namespace to which it belongs: to move an interface afterwards
    // takes 13 to 19 ms, an RCU grace period (measured for this project, 2026-08).
    let near = VethEnd {
        mac: Some(end.mac),
        mtu: Some(ends.cable().mtu),
        master: end.bridge.as_ref().map(|bridge| bridge.index),
        ..VethEnd::new(device)
    };
    let far = VethEnd {
        mtu: Some(ends.cable().mtu),
        netns: Some(namespace.as_fd()),
        ..VethEnd::new(inner.device())
    };
    let mut batch = Batch::new();
    batch.add_veth(&Veth { near, far });
    largest.limit(&mut batch, near.device);
    if ends.is_port(side) {
        batch.disable_address_generation(near.device);
        batch.set_up(near.device);
    }
    ends.execute(side, batch)?;
    // The near end in a stack has no carrier until its peer is up: veth(4). So the inner end
    // comes up first, and the stack's own interface when it gets its settings.
    let mut batch = Batch::new();
    batch.disable_address_generation(inner.device());
    batch.set_up(inner.device());
    execute(ends, namespace, batch)
}

/// Joins the inner ends by a userspace wire, with a packet socket at each.
fn join_by_sockets(
    ends: &LinkEnds,
    namespace: Arc<OwnedFd>,
    impairments: &[Impairment; 2],
    cuts: &Cuts,
    shortcut: Option<Shortcut>,
) -> Result<ActiveCarrier> {
    let open = match shortcut {
        Some(_) => PacketSocket::beside_shortcut,
        None => PacketSocket::for_wire,
    };
    let socket = |side| {
        let index = WireInterface::inner_end(ends, side).index();
        let what = || NetworkAttempt::OpenPacketSocket {
            link: ends.name().to_owned(),
        };
        open(namespace.as_fd(), index)
            .map(WirePort::Packet)
            .map_err(|e| LabError::io(what(), &e).about(ends.subject()))
    };
    let ports = [socket(Side::A)?, socket(Side::B)?];
    let wire = start_wire(ends, ports, impairments, cuts)?;
    Ok(ActiveCarrier::PacketSocket {
        wire,
        namespace,
        shortcut,
    })
}

/// Hands the link to the threads that carry wires, and checks that the impairments are in force.
fn start_wire(
    ends: &LinkEnds,
    ports: [WirePort; 2],
    impairments: &[Impairment; 2],
    cuts: &Cuts,
) -> Result<WireHandle> {
    let name = ends.name();
    let spec = WireSpec {
        name: name.into(),
        seed: seed(ends),
        impairments: impairments.clone(),
        cut: Direction::BOTH.map(|direction| cuts.is_cut(direction)),
        spin: false,
        nat: ends.nat().cloned(),
    };
    let carry = || NetworkAttempt::Carry {
        link: ends.name().to_owned(),
    };
    let wire = WireHandle::start(spec, ports)
        .map_err(|e| LabError::io(carry(), &e).about(ends.subject()))?;
    for (direction, asked) in Direction::BOTH.into_iter().zip(impairments) {
        let in_force = wire.impairment(direction);
        // A wire must never do less than was asked and say nothing.
        if in_force != *asked {
            let why = FailureReason::OtherImpairment {
                direction,
                asked: Box::new(asked.clone()),
                in_force: Box::new(in_force),
            };
            return Err(LabError::failed(carry(), why).about(ends.subject()));
        }
    }
    Ok(wire)
}

/// Joins the inner ends by a bridge that floods every frame, with netem at both ports.
fn join_by_repeater(
    ends: &LinkEnds,
    namespace: Arc<OwnedFd>,
    impairments: &[Impairment; 2],
    cuts: &mut Cuts,
) -> Result<ActiveCarrier> {
    let repeater = WireInterface::repeater(ends);
    let mut batch = Batch::new();
    batch.add_repeater(repeater.device());
    for side in Side::BOTH {
        batch.set_master(
            WireInterface::inner_end(ends, side).device(),
            Some(repeater.index()),
        );
    }
    execute(ends, &namespace, batch)?;
    let apply = |direction: Direction| {
        // A queueing discipline works where packets leave an interface (tc(8)). Packets of a
        // direction leave the wire namespace by the inner end of the side that receives them.
        let leaves = WireInterface::inner_end(ends, direction.receiver());
        let impairment = &impairments[direction.index()];
        // With one seed both directions would lose the same packets.
        let seed = seed(ends) ^ direction.index() as u64;
        NetemDevice::apply(namespace.as_fd(), leaves.device(), impairment, seed)
            .map_err(|e| refused(ends, e))
    };
    let egress = Box::new([apply(Direction::AToB)?, apply(Direction::BToA)?]);
    // Frames that have entered until now have met no netem, and the repeater has passed none on.
    let before = [
        entered(ends, &namespace, Direction::AToB)?,
        entered(ends, &namespace, Direction::BToA)?,
    ];
    // The counters were read before: what a filter drops from here on counts as sent.
    cuts.attach_around_netem(ends, &namespace)?;
    // The repeater comes up last: no frame passes before cuts and impairments are in force.
    let mut batch = Batch::new();
    batch.set_up(repeater.device());
    execute(ends, &namespace, batch)?;
    Ok(ActiveCarrier::Netem {
        egress,
        before,
        namespace,
    })
}

/// Returns what the inner end at which a direction begins has received since it was made.
pub(crate) fn entered(
    ends: &LinkEnds,
    namespace: &OwnedFd,
    direction: Direction,
) -> Result<Traffic> {
    let enters = WireInterface::inner_end(ends, direction.sender());
    let interface = Netlink::open_in(namespace.as_fd())
        .and_then(|mut netlink| netlink.interface(enters.device()))
        .map_err(|e| refused(ends, e))?;
    Ok(Traffic {
        packets: interface.traffic.rx_packets,
        bytes: interface.traffic.rx_bytes,
    })
}

/// Returns the seed of a link, from the trial's seed and the link's name: what is drawn for this
/// link does not depend on which other links there are.
fn seed(ends: &LinkEnds) -> u64 {
    let trial = crate::trial::running::current().map_or(0, |current| current.seed);
    crate::model::random::seed_for(trial, ends.name())
}
