//! Switches with so many ports that one queue is too short for what all of them are sent.
//!
//! A frame to everybody becomes as many frames as there are ports. All of them wait in the queue of
//! the processor that is at it, which has room for a thousand (`net.core.netdev_max_backlog`, a
//! setting of the host). So a datagram in three fragments would never come out whole of a switch
//! with four hundred ports.
//!
//! A veth end that gathers packets (GRO) has a queue of its own for what comes from an end that
//! does not cut packets (TSO); see drivers/net/veth.c, veth_set_features. Behind a crowded switch
//! the ends are set so. Streams pay for it with about a quarter of their speed.

use crate::kernel::netlink::Offload;
use crate::lab::bring_up::builder::{Namespaces, NetworkBuilder};
use crate::lab::error::Result;
use crate::lab::lab::Lab;
use crate::lab::link::link::Link;
use crate::lab::stack::device::end_device;
use crate::model::side::Side;
use crate::topology::plan::{NetnsId, StackId};
use crate::topology::{Endpoint, LinkId};

/// A cable from a node to a crowded switch.
pub(crate) struct CrowdedCable {
    link: LinkId,
    /// The side of the switch.
    port: Side,
    /// The stack at the other end.
    stack: StackId,
}

/// Gives a queue of its own to each interface behind a crowded switch that has none.
pub(crate) fn enable_missing_gro(lab: &mut Lab) -> Result<()> {
    let links = lab.links();
    let plain = links.filter(|link| link.ends().cable().emulation.is_none());
    let missing = without_gro(lab, plain.map(Link::id));
    if missing.is_empty() {
        return Ok(());
    }
    NetworkBuilder::new(lab.plan(), Namespaces::of_lab(lab))?.enable_gro(&missing)?;
    note_gro(lab, &missing);
    Ok(())
}

/// Returns which of some cables lead to a crowded switch from an interface without a queue of its
/// own.
pub(crate) fn without_gro(lab: &Lab, cables: impl Iterator<Item = LinkId>) -> Vec<CrowdedCable> {
    let crowded = |end: &Endpoint| match end {
        Endpoint::Switch(switch) => lab.plan().switches[switch.index()].crowded,
        Endpoint::Node(_) | Endpoint::Pod(_) => false,
    };
    let crowded_cable = |link: LinkId| {
        let planned = &lab.plan()[link];
        // A link with a carrier of its own is no plain pair, and has queues there.
        let lacks = planned.emulation.is_none() && !lab.has_gro(link);
        let ends = lab.topology().ends(link);
        let port = Side::BOTH.into_iter().find(|side| crowded(&ends[*side]))?;
        // A cable between switches leads to no node that needs a queue.
        let NetnsId::Stack(stack) = planned.ends[port.other()].netns else {
            return None;
        };
        lacks.then_some(CrowdedCable { link, port, stack })
    };
    cables.filter_map(crowded_cable).collect()
}

/// Notes that the nodes' ends of some cables have queues of their own.
pub(crate) fn note_gro(lab: &mut Lab, cables: &[CrowdedCable]) {
    lab.note_gro(cables.iter().map(|cable| cable.link));
}

impl NetworkBuilder<'_> {
    /// Gives a queue of its own to the node's end of some cables, which are laid.
    pub(crate) fn enable_gro(&self, cables: &[CrowdedCable]) -> Result<()> {
        // Most labs have no crowded switch, and are to open no socket for it.
        let Some(hub) = self.open_hub()?.filter(|_| !cables.is_empty()) else {
            return Ok(());
        };
        for CrowdedCable { link, port, stack } in cables {
            let ends = &self.plan()[*link].ends;
            // GRO gives a veth end a NAPI queue of its own only for packets that are not gathered
            // already, so segmentation goes first at the other end (drivers/net/veth.c).
            hub.offload(end_device(&ends[*port]), Offload::Segmentation, false)
                .map_err(|e| self.explain(NetnsId::Hub, e))?;
            let node_end = end_device(&ends[port.other()]);
            self.open_stack(*stack)?
                .offload(node_end, Offload::Gathering, true)
                .map_err(|e| self.explain(NetnsId::Stack(*stack), e))?;
        }
        Ok(())
    }
}
