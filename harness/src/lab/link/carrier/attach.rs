//! How a link with something in its middle is laid, and how another carrier takes over.
//!
//! Between the ends is the *backstage*, a network namespace that no node sees: there, each end of a link has an inner end. Between two inner
//! ends there is a repeater, at whose ports netem works; or our wire, which has a packet socket on each. A wire with TAP
//! devices has no inner ends.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::events::Journal;
use crate::impair::{Direction, Impairment};
use crate::kernel::errno::RefusedCall;
use crate::kernel::frames::PacketSocket;
use crate::kernel::frames::TapDevice;
use crate::kernel::frames::{BATCH, Inbox};
use crate::kernel::netlink::{Batch, Device, Netlink, Veth, VethEnd};
use crate::kernel::netns::Netns;
use crate::lab::error::{LabError, Result};
use crate::lab::link::carrier::choose::choose;
use crate::lab::link::ends::{Line, Plug};
use crate::lab::link::state::Carried;
use crate::lab::shared::Shared;
use crate::model::carrier::Carrier;
use crate::model::side::Side;
use crate::netem::NetemDevice;
use crate::topology::LinkId;
use crate::topology::plan::{InterfaceSlot, Plan};
use crate::wire::{WireHandle, WirePort, WireSpec};

/// The end of a link's veth pair that is backstage.
pub(crate) struct Inner {
    name: String,
    index: u32,
}

impl Inner {
    pub(crate) fn of(line: &Line, side: Side) -> Inner {
        let link = line.link();
        Inner {
            name: format!("m{}{side}", link.index()),
            index: InterfaceSlot::InnerEnd(link, side).index(),
        }
    }

    fn repeater(line: &Line) -> Inner {
        let link = line.link();
        Inner {
            name: format!("m{}", link.index()),
            index: InterfaceSlot::Repeater(link).index(),
        }
    }

    pub(crate) fn device(&self) -> Device<'_> {
        Device {
            index: self.index,
            name: &self.name,
        }
    }
}

/// The ends of a link, with nothing between them yet.
pub(crate) enum Laid {
    Veth,
    Taps([TapDevice; 2]),
    /// Their inner ends are there, for this carrier.
    Inner(Carrier, Arc<OwnedFd>),
}

/// Lays a link as its plan says, up to what joins its ends: that follows when both are ready, so that what kernels have to say of new
/// interfaces is not carried, as it is not over a plain link.
pub(crate) fn lay(line: &Line, shared: &Shared) -> Result<Laid> {
    let Some(emulation) = line.cable.emulation.as_deref() else {
        return Ok(Laid::Veth);
    };
    let carrier = choose(line, shared, emulation.engine, &emulation.impairments)?;
    lay_ends(line, shared, carrier)
}

/// Records the carriers of new links, but for plain ones.
pub(crate) fn tell(laid: &BTreeMap<LinkId, Laid>, plan: &Plan, journal: &Journal) {
    let carried = laid.iter().filter(|(_, laid)| !matches!(laid, Laid::Veth));
    let carriers: Vec<(String, Carrier)> = carried
        .map(|(link, laid)| (plan[*link].name.clone(), laid.carrier()))
        .collect();
    journal.record_carriers(&carriers);
}

fn lay_ends(line: &Line, shared: &Shared, carrier: Carrier) -> Result<Laid> {
    Ok(match carrier {
        Carrier::Tap => Laid::Taps([tap(line, Side::A)?, tap(line, Side::B)?]),
        Carrier::PacketSocket | Carrier::Netem => {
            let backstage = shared.backstage()?;
            lay_to(line, &backstage, carrier == Carrier::Netem)?;
            Laid::Inner(carrier, backstage)
        }
        Carrier::Veth | Carrier::Nobody => Laid::Veth,
    })
}

impl Laid {
    fn carrier(&self) -> Carrier {
        match self {
            Laid::Veth => Carrier::Veth,
            Laid::Taps(_) => Carrier::Tap,
            Laid::Inner(carrier, _) => *carrier,
        }
    }

    /// Joins the ends.
    pub(crate) fn join(self, line: &Line, impairments: &[Impairment; 2]) -> Result<Carried> {
        match self {
            Laid::Veth => Ok(Carried::Veth),
            Laid::Taps(taps) => {
                taps.iter().try_for_each(|tap| empty(line, tap))?;
                carry(line, taps.map(WirePort::Tap), impairments, None)
            }
            Laid::Inner(Carrier::Netem, backstage) => repeat(line, backstage, impairments),
            Laid::Inner(_, backstage) => {
                let ports = sockets(line, &backstage)?;
                carry(line, ports, impairments, Some(backstage))
            }
        }
    }
}

/// Throws away what its kernel has sent so far.
fn empty(line: &Line, tap: &TapDevice) -> Result<()> {
    let mut inbox = Inbox::new(BATCH);
    loop {
        match tap.receive(&mut inbox) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(errno) => {
                let what = format!("read from an end of link `{}`", line.cable.name);
                return Err(LabError::refused(what, errno));
            }
        }
    }
}

/// Puts a carrier in the place of another one. Interfaces of nodes are made anew where that has to be, with all that they had: programs
/// notice nothing but a pause, unless they hold on to the interface itself.
pub(crate) fn exchange(
    line: &Line,
    shared: &Shared,
    before: Carried,
    carrier: Carrier,
    impairments: &[Impairment; 2],
    down: bool,
) -> Result<Carried> {
    if let (Carried::Netem { backstage, .. }, Carrier::Tap | Carrier::PacketSocket) =
        (&before, carrier)
    {
        let backstage = Arc::clone(backstage);
        let mut batch = Batch::new();
        batch.delete_link(Inner::repeater(line).device());
        backstage_do(line, &backstage, batch)?;
        for side in Side::BOTH {
            let mut batch = Batch::new();
            batch.set_largest_batch(line.device(side), u16::MAX);
            line.execute(side, batch)?;
        }
        let ports = sockets(line, &backstage)?;
        return carry(line, ports, impairments, Some(backstage));
    }
    unlay(line, before)?;
    let laid = lay_ends(line, shared, carrier)?;
    for side in Side::BOTH {
        line.settle(side)?;
    }
    if down {
        for side in line.switched() {
            let mut batch = Batch::new();
            batch.set_down(line.device(side));
            line.execute(side, batch)?;
        }
        return laid.join(line, impairments);
    }
    line.await_up(&Side::BOTH)?;
    let carried = laid.join(line, impairments)?;
    line.announce()?;
    Ok(carried)
}

/// Takes a link away.
pub(crate) fn unlay(line: &Line, carried: Carried) -> Result<()> {
    let ends: &[Side] = match &carried {
        Carried::Nobody => &[],
        // Both ends go at once, and one of them may be gone with its node.
        Carried::Veth => match line.netns(Side::A) {
            Some(_) => &[Side::A],
            None => &[Side::B],
        },
        // They are gone with the wire.
        Carried::Wire {
            backstage: None, ..
        } => &[],
        Carried::Wire { .. } | Carried::Netem { .. } => &Side::BOTH,
    };
    if let Carried::Netem { backstage, .. } = &carried {
        let mut batch = Batch::new();
        batch.delete_link(Inner::repeater(line).device());
        backstage_do(line, backstage, batch)?;
    }
    drop(carried);
    for side in ends.iter().copied() {
        if line.netns(side).is_none() {
            continue;
        }
        let mut batch = Batch::new();
        batch.delete_link(line.device(side));
        line.execute(side, batch)?;
    }
    Ok(())
}

/// A TAP device as one end, down and without addresses; as a port of a bridge it is up.
fn tap(line: &Line, side: Side) -> Result<TapDevice> {
    let Device { index, name } = line.device(side);
    let whose = line.whose(side);
    let made = Netns::visit(line.place(side)?, || TapDevice::create(name, index))
        .map_err(|e| LabError::refused(format!("enter {whose}"), e))?;
    let tap = made.map_err(|RefusedCall { call, errno }| {
        LabError::refused(
            format!("make the TAP device `{name}` ({call}), in {whose}"),
            errno,
        )
    })?;
    let end = &line.cable.ends[side];
    let mut batch = Batch::new();
    batch.set_mac(line.device(side), end.mac);
    batch.set_mtu(line.device(side), line.cable.mtu);
    if let Some(bridge) = &end.bridge {
        batch.give_no_addresses(line.device(side));
        batch.set_master(line.device(side), Some(bridge.index));
        batch.set_up(line.device(side));
        batch.look_at(line.device(side));
    }
    line.execute(side, batch)?;
    Ok(tap)
}

/// A veth pair from each end to the backstage, the inner ends up.
///
/// netem decides about what it is handed, so it must be handed packets one by one.
fn lay_to(line: &Line, backstage: &OwnedFd, one_by_one: bool) -> Result<()> {
    for side in Side::BOTH {
        let inner = Inner::of(line, side);
        let end = &line.cable.ends[side];
        let near = VethEnd {
            mac: Some(end.mac),
            mtu: Some(line.cable.mtu),
            master: end.bridge.as_ref().map(|bridge| bridge.index),
            ..VethEnd::new(line.device(side))
        };
        let far = VethEnd {
            mtu: Some(line.cable.mtu),
            netns: Some(backstage.as_fd()),
            ..VethEnd::new(inner.device())
        };
        let mut batch = Batch::new();
        batch.add_veth(&Veth { near, far });
        if one_by_one {
            batch.set_largest_batch(near.device, 1);
        }
        if let Plug::Hub(_) = &line.ends[side] {
            batch.give_no_addresses(near.device);
            batch.set_up(near.device);
        }
        line.execute(side, batch)?;
        let mut batch = Batch::new();
        batch.give_no_addresses(inner.device());
        batch.set_up(inner.device());
        backstage_do(line, backstage, batch)?;
    }
    Ok(())
}

fn backstage_do(line: &Line, backstage: &OwnedFd, batch: Batch) -> Result<()> {
    Netlink::open_in(backstage.as_fd())
        .and_then(|mut netlink| netlink.execute(batch))
        .map_err(|e| backstage_error(line, e))
}

pub(crate) fn backstage_error(
    line: &Line,
    error: crate::kernel::netlink::NetlinkError,
) -> LabError {
    LabError::network(format!("the middle of link `{}`", line.cable.name), error)
}

fn sockets(line: &Line, backstage: &OwnedFd) -> Result<[WirePort; 2]> {
    let socket = |side| {
        let index = Inner::of(line, side).index;
        let what = || format!("open a packet socket for link `{}`", line.cable.name);
        PacketSocket::for_wire(backstage.as_fd(), index)
            .map(WirePort::Packet)
            .map_err(|e| LabError::io(what(), &e))
    };
    Ok([socket(Side::A)?, socket(Side::B)?])
}

/// Hands the link to the threads that carry wires, and looks what is in force.
fn carry(
    line: &Line,
    ports: [WirePort; 2],
    impairments: &[Impairment; 2],
    backstage: Option<Arc<OwnedFd>>,
) -> Result<Carried> {
    let name = &line.cable.name;
    let spec = WireSpec {
        name: name.as_str().into(),
        seed: seed(line),
        impairments: impairments.clone(),
        spin: false,
    };
    let wire = WireHandle::start(spec, ports)
        .map_err(|e| LabError::io(format!("carry link `{name}`"), &e))?;
    for (direction, asked) in Direction::BOTH.into_iter().zip(impairments) {
        let in_force = wire.impairment(direction);
        if in_force != *asked {
            return Err(LabError::other(format!(
                "link `{name}`, {direction}: asked for {asked:?}, but {in_force:?} is in force"
            )));
        }
    }
    Ok(Carried::Wire { wire, backstage })
}

/// A repeater between the inner ends, and netem where packets leave it.
fn repeat(line: &Line, backstage: Arc<OwnedFd>, impairments: &[Impairment; 2]) -> Result<Carried> {
    let repeater = Inner::repeater(line);
    let mut batch = Batch::new();
    batch.add_repeater(repeater.device());
    for side in Side::BOTH {
        batch.set_master(Inner::of(line, side).device(), Some(repeater.index));
    }
    batch.set_up(repeater.device());
    backstage_do(line, &backstage, batch)?;
    let apply = |direction: Direction| {
        let leaves = Inner::of(line, direction.receiver());
        let impairment = &impairments[direction.index()];
        // The two directions shall not lose the same packets.
        let seed = seed(line) ^ direction.index() as u64;
        NetemDevice::apply(backstage.as_fd(), leaves.device(), impairment, seed)
            .map_err(|e| backstage_error(line, e))
    };
    let egress = Box::new([apply(Direction::AToB)?, apply(Direction::BToA)?]);
    Ok(Carried::Netem { egress, backstage })
}

/// Of the trial's seed and the link's name: no other link has a say in what happens on this one.
fn seed(line: &Line) -> u64 {
    let trial = crate::trial::running::current().map_or(0, |current| current.seed);
    crate::model::random::seed_for(trial, &line.cable.name)
}
