//! Replaces the carrier of a running link by another one, step by step.
//!
//! A plain link that is in use keeps the interfaces in its nodes, as far as that is possible: see
//! `splice` and `keep`. So does a link whose netem gives way to a packet-socket wire. What is left
//! is the cable between two switches, whose ends are deleted and made again.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::impair::Impairment;
use crate::kernel::netlink::Batch;
use crate::lab::error::Result;
use crate::lab::link::carrier::active::ActiveCarrier;
use crate::lab::link::carrier::attach::{attach_ends, join_by_sockets};
use crate::lab::link::carrier::detach::detach;
use crate::lab::link::carrier::inner_end::{InnerEnd, execute};
use crate::lab::link::carrier::keep::keep_one;
use crate::lab::link::carrier::splice::{splice, splice_at};
use crate::lab::link::ends::LinkEnds;
use crate::lab::link::services::WireNamespace;
use crate::lab::stack::carried::Restored;
use crate::model::carrier::Carrier;
use crate::model::side::Side;

/// A carrier that has taken the place of another one.
pub(crate) struct Replaced {
    pub(crate) active: ActiveCarrier,
    /// Sockets and refusals of an interface that was made again.
    pub(crate) restored: Option<Restored>,
    /// Sides at which the interface was made again, so that what is attached to it is gone.
    pub(crate) made_again: Vec<Side>,
}

/// A request for a carrier in the place of another one.
pub(crate) struct Replacement<'a> {
    /// Kind of the new carrier.
    pub(crate) carrier: Carrier,
    /// Impairments by direction, which are in force from the first frame on.
    pub(crate) impairments: &'a [Impairment; 2],
    /// Whether the link is down. Such a link stays down.
    pub(crate) is_down: bool,
    /// Side whose interface stays, where the interfaces of a plain link are in two nodes.
    pub(crate) kept: Option<Side>,
}

/// Replaces the carrier `before`, and returns when packets pass.
pub(crate) fn replace_carrier(
    ends: &LinkEnds,
    namespace: &WireNamespace,
    before: ActiveCarrier,
    wanted: &Replacement<'_>,
) -> Result<Replaced> {
    let Replacement {
        carrier,
        impairments,
        is_down,
        kept,
    } = *wanted;
    let untouched = |active| Replaced {
        active,
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
            replace_netem(ends, namespace, impairments).map(untouched)
        }
        (ActiveCarrier::Veth, carrier, Some(port), _) => {
            let pending = splice(ends, port, carrier, is_down)?;
            pending.join(ends, impairments).map(untouched)
        }
        (ActiveCarrier::Veth, carrier, None, Some(kept)) => {
            let (pending, restored) = keep_one(ends, namespace.get()?, kept, carrier)?;
            Ok(Replaced {
                active: pending.join(ends, impairments)?,
                restored: Some(restored),
                made_again: vec![kept.other()],
            })
        }
        // Each carrier is named, so that a new one is thought of here.
        (
            before @ (ActiveCarrier::Veth
            | ActiveCarrier::Netem { .. }
            | ActiveCarrier::Tap { .. }
            | ActiveCarrier::PacketSocket { .. }
            | ActiveCarrier::Nobody),
            _,
            _,
            _,
        ) => Ok(Replaced {
            active: make_again(ends, namespace, before, wanted)?,
            restored: None,
            made_again: Side::BOTH.to_vec(),
        }),
    }
}

/// Puts a wire in the place of netem, between the inner ends that are there.
fn replace_netem(
    ends: &LinkEnds,
    namespace: Arc<OwnedFd>,
    impairments: &[Impairment; 2],
) -> Result<ActiveCarrier> {
    // 1. The repeater goes, and with it the path through netem. Frames that netem holds are lost.
    let mut batch = Batch::new();
    batch.delete_link(InnerEnd::repeater(ends).device());
    execute(ends, &namespace, batch)?;
    // 2. netem had to be handed packets one by one. A wire takes whole batches, which is what makes
    //    it fast, so the limit is lifted before the first frame reaches the sockets.
    for side in Side::BOTH {
        let mut batch = Batch::new();
        batch.set_largest_batch(ends.device(side), u16::MAX);
        ends.execute(side, batch)?;
    }
    // 3. The sockets open and the wire starts. The interfaces in the nodes have noticed nothing.
    join_by_sockets(ends, namespace, impairments, None)
}

/// Deletes both ports of a cable between two switches, and makes them again for another carrier.
fn make_again(
    ends: &LinkEnds,
    namespace: &WireNamespace,
    before: ActiveCarrier,
    wanted: &Replacement<'_>,
) -> Result<ActiveCarrier> {
    let impairments = wanted.impairments;
    // 1. The old carrier goes first: the new ports have the same names and indices.
    detach(ends, before)?;
    // 2. The new ports are made, and belong to their bridges. The plan has nothing else for them:
    //    a port gets the multicast memberships of the stack at the other end, and here is none.
    let pending = attach_ends(ends, namespace, wanted.carrier)?;
    // 3. The ports of a link that is down go down again. They are up by now, as each new port is.
    if wanted.is_down {
        for side in ends.ends_that_go_down() {
            let mut batch = Batch::new();
            batch.set_down(ends.device(side));
            ends.execute(side, batch)?;
        }
        return pending.join(ends, impairments);
    }
    // 4. Only ports that are up are joined: what the kernel sends by itself from a new interface is
    //    over then, and no counter and no capture sees it.
    ends.await_up(&Side::BOTH)?;
    // The switches have forgotten who is behind the deleted ports, and flood frames until they have
    // learnt it again. No stack is at an end that could announce itself.
    pending.join(ends, impairments)
}
