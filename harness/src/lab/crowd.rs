//! Switches with so many ports that one queue is too short for what all of them are sent.
//!
//! A frame to everybody becomes as many as there are ports, and all those wait in the queue of the processor that is at it, which has
//! room for a thousand (`net.core.netdev_max_backlog`, which is the host's). So a datagram in three fragments would never come out whole
//! of a switch with four hundred ports. A veth end that gathers packets (GRO) has a queue of its own, for what comes from an end
//! that cuts none (TSO); behind a crowded switch that is what they do. Streams pay for it, with a quarter of their speed or so.

use std::os::fd::AsFd;

use super::error::{LabError, Result};
use super::{Lab, Link};
use crate::kernel::netlink::{Netlink, Offload};
use crate::topology::{Endpoint, LinkId, SwitchId};

impl Lab {
    /// Gives a queue of its own to each interface behind a crowded switch that has none.
    pub(super) fn relieve(&mut self) -> Result<()> {
        let missing: Vec<_> = self.links.iter().filter(|link| self.lacks(link)).collect();
        let (Some(hub), false) = (&self.hub, missing.is_empty()) else {
            return Ok(());
        };
        let hub = Netlink::open_in(hub.as_fd())
            .map_err(|e| LabError::network("the switches".to_owned(), e))?;
        for line in missing.iter().map(|link| &link.line) {
            let Some(port) = line.port() else { continue };
            let node = 1 - port;
            hub.offload(line.device(port), Offload::Segmentation, false)
                .map_err(|e| LabError::network(line.whose(port), e))?;
            line.open(node)?
                .offload(line.device(node), Offload::Gathering, true)
                .map_err(|e| LabError::network(line.whose(node), e))?;
        }
        let relieved: Vec<LinkId> = missing.iter().map(|link| link.id()).collect();
        self.relieved.extend(relieved);
        Ok(())
    }

    fn lacks(&self, link: &Link) -> bool {
        let crowded = |switch: SwitchId| self.plan.switches[switch.index()].crowded;
        let ends = self.topology.ends(link.id());
        let at_crowded =
            |port: usize| matches!(ends[port], Endpoint::Switch(switch) if crowded(switch));
        // What has something between its ends is no plain pair, and has queues there.
        let plain = link.line.cable.middle.is_none() && !link.is_removed();
        plain && link.line.port().is_some_and(at_crowded) && !self.relieved.contains(&link.id())
    }
}
