//! Puts a carrier into a running cable between a node and a switch, without a touch to the node.
//!
//! The node's interface has its peer in the hub, as a port of a bridge. The peer leaves the bridge
//! and becomes the inner end of that interface; another veth pair brings a port in its place:
//!
//! ```text
//!   node alice       hub
//!   eth0 ═════════ port ── bridge                                        before
//!   eth0 ═════════ port ─┬─ netem or packet sockets ─┬─ m7b ═ s7 ── bridge   after
//! ```
//!
//! The interface in the node stays up and keeps its carrier. So everything that stands on it stays:
//! addresses, routes, memberships, interfaces on top of it, sockets that are bound to it.

use std::sync::Arc;

use crate::kernel::netlink::{Batch, Veth, VethEnd};
use crate::lab::error::Result;
use crate::lab::link::carrier::attach::{LargestBatch, PendingCarrier};
use crate::lab::link::carrier::wire_interface::WireInterface;
use crate::lab::link::ends::LinkEnds;
use crate::model::carrier::Carrier;
use crate::model::side::Side;

/// Returns the side of the port of a plain link into which a carrier can be put so.
pub(crate) fn splice_at(ends: &LinkEnds) -> Option<Side> {
    // A cable between two switches has two ports, and no node whose interface is to be kept.
    ends.only_port()
}

/// Makes the ends of a carrier for a link that was plain, and joins nothing yet.
pub(crate) fn splice(
    ends: &LinkEnds,
    port: Side,
    carrier: Carrier,
    down: bool,
) -> Result<PendingCarrier> {
    let Some(hub) = ends.hub(port) else {
        unreachable!("`splice_at` names a port");
    };
    let hub = Arc::clone(hub);
    let (planned, spare) = (ends.device(port), ends.spare_port());
    let inner = WireInterface::inner_end(ends, port);
    let end = &ends.cable().ends[port];
    let mut netlink = ends.open(port)?;
    let groups = netlink.groups_behind(planned);
    let groups = groups.map_err(|e| ends.refused(port, e))?;
    let mut batch = Batch::new();
    // 1. The pair that brings the other port. Its inner end comes up at once: the port has no
    //    carrier before.
    batch.add_veth(&Veth {
        near: VethEnd {
            mac: Some(end.mac),
            mtu: Some(ends.cable().mtu),
            ..VethEnd::new(spare)
        },
        far: VethEnd {
            mtu: Some(ends.cable().mtu),
            ..VethEnd::new(inner.device())
        },
    });
    batch.disable_address_generation(spare);
    batch.disable_address_generation(inner.device());
    batch.set_up(inner.device());
    let largest = LargestBatch::of(carrier);
    largest.limit(&mut batch, spare);
    // 2. The ports change places. The planned one stays up, and with it the node's carrier.
    batch.set_master(planned, None);
    batch.set_master(spare, end.bridge.as_ref().map(|bridge| bridge.index));
    if !down {
        batch.set_up(spare);
    }
    ends.execute(port, batch)?;
    ends.use_spare_port();
    // The node's interface was made for a veth pair, and hands whole batches to the inner end.
    // netem delays, loses and counts a batch as one packet (net/sched/sch_netem.c).
    let node = port.other();
    let mut batch = Batch::new();
    largest.limit(&mut batch, ends.device(node));
    ends.execute(node, batch)?;
    // 3. The bridge has forgotten who is behind the port that has left. Nobody would report again
    //    before the next query, which may be two minutes away (RFC 3376, 8.2).
    ends.give_settings(port)?;
    if !down {
        ends.await_up(&[port])?;
        for group in &groups {
            let mut batch = Batch::new();
            batch.restore_group(ends.bridge(port)?, spare, group);
            // A bridge that has stopped listening meanwhile sends every group to everybody.
            let _ = netlink.execute(batch);
        }
    }
    Ok(PendingCarrier::between_inner_ends(carrier, hub))
}
