//! Switches with so many ports that one queue is too short for what all of them are sent.
//!
//! A frame to everybody becomes as many as there are ports, and all those wait in the queue of the processor that is at it, which has
//! room for a thousand (`net.core.netdev_max_backlog`, which is the host's). So a datagram in three fragments would never come out whole
//! of a switch with four hundred ports. A veth end that gathers packets (GRO) has a queue of its own, for what comes from an end
//! that cuts none (TSO); behind a crowded switch that is what they do. Streams pay for it, with a quarter of their speed or so.

use crate::kernel::netlink::Offload;
use crate::lab::bring_up::network::{Builder, device};
use crate::lab::bring_up::start::places;
use crate::lab::error::Result;
use crate::lab::{Lab, Link};
use crate::model::side::Side;
use crate::topology::plan::{NetnsId, StackId};
use crate::topology::{Endpoint, LinkId};

/// The end at a crowded switch of a cable from a node.
pub(crate) struct Port {
    cable: LinkId,
    side: Side,
    /// Who is at the other end.
    stack: StackId,
}

impl Lab {
    /// Gives a queue of its own to each interface behind a crowded switch that has none.
    pub(crate) fn relieve(&mut self) -> Result<()> {
        let is_plain = |link: &&Link| link.line.cable.emulation.is_none() && !link.is_removed();
        let there = self.links.iter().filter(is_plain);
        let missing = self.lacking(there.map(Link::id));
        if missing.is_empty() {
            return Ok(());
        }
        Builder::new(&self.plan, places(self))?.relieve(&missing)?;
        self.are_relieved(missing);
        Ok(())
    }

    /// Which of these cables lack one.
    pub(crate) fn lacking(&self, cables: impl Iterator<Item = LinkId>) -> Vec<Port> {
        let crowded = |end: &Endpoint| match end {
            Endpoint::Switch(switch) => self.plan.switches[switch.index()].crowded,
            Endpoint::Node(_) | Endpoint::Pod(_) => false,
        };
        let port = |cable: LinkId| {
            let planned = &self.plan[cable];
            let link = planned.link?;
            // What has something between its ends is no plain pair, and has queues there.
            let lacks = planned.emulation.is_none() && !self.relieved.contains(&link);
            let ends = self.topology.ends(link);
            let side = Side::BOTH.into_iter().find(|side| crowded(&ends[*side]))?;
            // A cable between switches leads to nobody who needs a queue.
            let NetnsId::Stack(stack) = planned.ends[side.other()].netns else {
                return None;
            };
            lacks.then_some(Port { cable, side, stack })
        };
        cables.filter_map(port).collect()
    }

    pub(crate) fn are_relieved(&mut self, ports: Vec<Port>) {
        let links = ports.iter().filter_map(|port| self.plan[port.cable].link);
        self.relieved.extend(links.collect::<Vec<LinkId>>());
    }
}

impl Builder<'_> {
    /// Gives a queue of its own to the node's end of each of these cables, which are laid.
    pub(crate) fn relieve(&self, ports: &[Port]) -> Result<()> {
        let Some(hub) = self.open_hub()?.filter(|_| !ports.is_empty()) else {
            return Ok(());
        };
        for port in ports {
            let cable = &self.plan[port.cable];
            let device = |side: Side| device(&cable.ends[side]);
            hub.offload(device(port.side), Offload::Segmentation, false)
                .map_err(|e| self.explain(NetnsId::Hub, e))?;
            self.open_stack(port.stack)?
                .offload(device(port.side.other()), Offload::Gathering, true)
                .map_err(|e| self.explain(NetnsId::Stack(port.stack), e))?;
        }
        Ok(())
    }
}
