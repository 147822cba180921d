//! Detaches a carrier: deletes the interfaces of a link, and what is between them.

use crate::kernel::netlink::Batch;
use crate::lab::error::Result;
use crate::lab::link::carrier::active::ActiveCarrier;
use crate::lab::link::carrier::wire_interface::{WireInterface, execute};
use crate::lab::link::ends::LinkEnds;
use crate::model::side::Side;

/// Takes a carrier away, with the interfaces at both ends.
pub(crate) fn detach(ends: &LinkEnds, carrier: ActiveCarrier) -> Result<()> {
    let sides: &[Side] = match &carrier {
        ActiveCarrier::Nobody => &[],
        // veth(4): when one end is deleted, the other goes too. The namespace of one end may be
        // gone with its node, so the pair is deleted from an end that is there.
        ActiveCarrier::Veth => match ends.netns(Side::A) {
            Some(_) => &[Side::A],
            None => &[Side::B],
        },
        // A TAP device goes when its descriptor is closed, which the wire has
        // (Documentation/networking/tuntap.rst).
        ActiveCarrier::Tap { .. } => &[],
        // Each outer end takes its inner end along.
        ActiveCarrier::PacketSocket { .. } | ActiveCarrier::Netem { .. } => &Side::BOTH,
    };
    if let ActiveCarrier::Netem { namespace, .. } = &carrier {
        let mut batch = Batch::new();
        batch.delete_link(WireInterface::repeater(ends).device());
        execute(ends, namespace, batch)?;
    }
    // A wire is dropped before its interfaces are deleted: its threads would see ENETDOWN
    // otherwise.
    drop(carrier);
    for side in sides.iter().copied() {
        // A namespace that is gone has taken its interfaces along.
        if ends.netns(side).is_none() {
            continue;
        }
        let mut batch = Batch::new();
        batch.delete_link(ends.device(side));
        ends.execute(side, batch)?;
    }
    Ok(())
}
