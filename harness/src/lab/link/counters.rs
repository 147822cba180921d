//! Counts of a link's packets, from wherever its carrier counts them.

use crate::impair::{Cause, Counters, Direction, Traffic};
use crate::lab::error::{LabError, Result};
use crate::lab::link::carrier::active::ActiveCarrier;
use crate::lab::link::carrier::attach::entered;
use crate::lab::link::carrier::wire_interface::refused;
use crate::lab::link::cuts::FilterCounts;
use crate::lab::link::ends::LinkEnds;
use crate::model::side::Side;

/// Returns the counts of a direction. `cut` is what filters of cuts have dropped, which a kernel's
/// counters do not tell apart.
pub(crate) fn counters(
    direction: Direction,
    ends: &LinkEnds,
    carrier: &mut ActiveCarrier,
    cut: FilterCounts,
) -> Result<Counters> {
    let FilterCounts { before, behind } = cut;
    let mut counters = match carrier {
        ActiveCarrier::Nobody => return Err(LabError::removed(ends.subject())),
        // A wire counts what it cuts by itself.
        ActiveCarrier::Tap { wire } => return Ok(wire.counters(direction)),
        ActiveCarrier::PacketSocket {
            wire,
            namespace,
            shortcut,
        } => {
            let mut counters = wire.counters(direction);
            if let Some(shortcut) = shortcut {
                let passed = shortcut.passed(ends, namespace, direction);
                counters.sent += passed;
                counters.delivered += passed;
            }
            return Ok(counters);
        }
        ActiveCarrier::Netem {
            egress,
            before: older,
            namespace,
        } => {
            let all = entered(ends, namespace, direction)?;
            let older = older[direction.index()];
            // A veth counts a frame when its peer sends it (drivers/net/veth.c, veth_get_stats64),
            // before the ingress filter may drop it.
            let less = |all: u64, others: u64| all.saturating_sub(others);
            let entered = Traffic {
                packets: less(all.packets, older.packets + before.packets),
                bytes: less(all.bytes, older.bytes + before.bytes),
            };
            let counted = egress[direction.index()].counters(entered);
            counted.map_err(|e| refused(ends, e))?
        }
        ActiveCarrier::Veth => veth_counters(direction, ends)?,
    };
    // Frames that a cut has dropped were sent, although netem was never handed them.
    counters.sent += before;
    // The interface has counted what its filter dropped then.
    let delivered = &mut counters.delivered;
    delivered.packets = delivered.packets.saturating_sub(behind.packets);
    delivered.bytes = delivered.bytes.saturating_sub(behind.bytes);
    for dropped in [before, behind] {
        *counters.lost.by_mut(Cause::Cut) += dropped;
    }
    Ok(counters)
}

/// Returns what the interfaces at both ends have counted.
fn veth_counters(direction: Direction, ends: &LinkEnds) -> Result<Counters> {
    let interface = |side: Side| {
        let found = ends.open(side)?.interface(ends.device(side));
        found
            .map(|it| it.traffic)
            .map_err(|e| ends.refused(side, e))
    };
    let (sent, received) = (
        interface(direction.sender())?,
        interface(direction.receiver())?,
    );
    Ok(Counters {
        sent: Traffic {
            packets: sent.tx_packets,
            bytes: sent.tx_bytes,
        },
        delivered: Traffic {
            packets: received.rx_packets,
            bytes: received.rx_bytes,
        },
        ..Counters::default()
    })
}
