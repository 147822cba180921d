//! Replaces the carrier of a running link by another one, step by step.
//!
//! A plain link that is in use keeps the interfaces in its nodes, as far as that is possible: see
//! `splice` and `keep`. So does a link whose netem gives way to a packet-socket wire. What is left
//! is the cable between two switches, whose ends are deleted and made again.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::kernel::netlink::Batch;
use crate::lab::error::Result;
use crate::lab::link::carrier::active::ActiveCarrier;
use crate::lab::link::carrier::attach::{PendingCarrier, attach_ends};
use crate::lab::link::carrier::detach::detach;
use crate::lab::link::carrier::keep::{KeptSide, keep_one};
use crate::lab::link::carrier::splice::{splice, splice_at};
use crate::lab::link::carrier::wire_interface::{WireInterface, execute};
use crate::lab::link::ends::LinkEnds;
use crate::lab::link::services::WireNamespace;
use crate::lab::stack::carried::Restored;
use crate::model::carrier::Carrier;
use crate::model::side::Side;

/// The ends of a new carrier, in the place of the old carrier. No frame passes yet.
pub(crate) struct NewEnds {
    pub(crate) pending: PendingCarrier,
    /// Sockets and refusals of an interface that was made again.
    pub(crate) restored: Option<Restored>,
    /// Sides at which the interface was made again, so that what is attached to it is gone.
    pub(crate) made_again: Vec<Side>,
}

/// A request for a carrier in the place of another one.
pub(crate) struct CarrierRequest {
    /// Kind of carrier that is wanted. Packet sockets take the place of a TAP device.
    pub(crate) carrier: Carrier,
    /// Whether the link is down. Such a link stays down.
    pub(crate) is_down: bool,
    /// The interface that stays, where the interfaces of a plain link are in two nodes.
    pub(crate) kept: Option<KeptSide>,
}

/// Replaces the carrier `before` as far as the new ends, which are there and not joined yet.
pub(crate) fn replace_carrier(
    ends: &LinkEnds,
    namespace: &WireNamespace,
    before: ActiveCarrier,
    request: CarrierRequest,
) -> Result<NewEnds> {
    let CarrierRequest {
        carrier,
        is_down,
        kept,
    } = request;
    let untouched = |pending| NewEnds {
        pending,
        restored: None,
        made_again: Vec::new(),
    };
    let port = splice_at(ends);
    let is_wire = match carrier {
        Carrier::Tap | Carrier::PacketSocket => true,
        Carrier::Veth | Carrier::Netem | Carrier::Nobody => false,
    };
    match (before, carrier, port, kept) {
        (ActiveCarrier::Netem { namespace, .. }, _, _, _) if is_wire => {
            remove_netem(ends, namespace).map(untouched)
        }
        (ActiveCarrier::Veth, carrier, Some(port), _) => {
            splice(ends, port, carrier, is_down).map(untouched)
        }
        (ActiveCarrier::Veth, carrier, None, Some(kept)) => {
            let made_again = vec![kept.side.other()];
            let (pending, restored) = keep_one(ends, namespace.get()?, kept, carrier)?;
            Ok(NewEnds {
                pending,
                restored: Some(restored),
                made_again,
            })
        }
        // The cable is between two switches: a link with a wire is never asked for another carrier
        // (`LinkState::require_wire`, `enforce`). Each carrier is named, so that the compiler names
        // this place for a new one.
        (
            before @ (ActiveCarrier::Veth
            | ActiveCarrier::Netem { .. }
            | ActiveCarrier::Tap { .. }
            | ActiveCarrier::PacketSocket { .. }
            | ActiveCarrier::Nobody),
            _,
            _,
            _,
        ) => Ok(NewEnds {
            pending: make_again(ends, namespace, before, carrier, is_down)?,
            restored: None,
            made_again: Side::BOTH.to_vec(),
        }),
    }
}

/// Takes netem away, and leaves the inner ends to a wire over packet sockets.
fn remove_netem(ends: &LinkEnds, namespace: Arc<OwnedFd>) -> Result<PendingCarrier> {
    // 1. The repeater goes, and with it the path through netem. Frames that netem holds are lost.
    let mut batch = Batch::new();
    batch.delete_link(WireInterface::repeater(ends).device());
    execute(ends, &namespace, batch)?;
    // 2. netem had to be handed packets one by one. A wire takes whole batches, which is what makes
    //    it fast, so the limit is lifted before the first frame reaches the sockets.
    for side in Side::BOTH {
        let mut batch = Batch::new();
        batch.set_gso_max_segments(ends.device(side), u16::MAX);
        ends.execute(side, batch)?;
    }
    // The interfaces in the nodes have noticed nothing.
    Ok(PendingCarrier::PacketSocket(namespace))
}

/// Deletes both ports of a cable between two switches, and makes them again for another carrier.
fn make_again(
    ends: &LinkEnds,
    namespace: &WireNamespace,
    before: ActiveCarrier,
    carrier: Carrier,
    is_down: bool,
) -> Result<PendingCarrier> {
    // 1. The old carrier goes first: the new ports have the same names and indices.
    detach(ends, before)?;
    // 2. The new ports are made, and belong to their bridges. The plan has nothing else for them:
    //    a port gets the multicast memberships of the stack at the other end, and here is none.
    let pending = attach_ends(ends, namespace, carrier)?;
    // 3. The ports of a link that is down go down again. They are up by now, as each new port is.
    if is_down {
        for side in ends.ends_that_go_down() {
            let mut batch = Batch::new();
            batch.set_down(ends.device(side));
            ends.execute(side, batch)?;
        }
        return Ok(pending);
    }
    // 4. Only ports that are up may be joined: what the kernel sends by itself from a new interface
    //    is over then, and no counter and no capture sees it.
    ends.await_up(&Side::BOTH)?;
    // The switches have forgotten who is behind the deleted ports, and flood frames until they have
    // learnt it again. No stack is at an end that could announce itself.
    Ok(pending)
}
