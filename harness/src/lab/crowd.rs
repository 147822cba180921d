//! Switches with so many ports that one queue is too short for what all of them are sent.
//!
//! A frame to everybody becomes as many as there are ports, and all those wait in the queue of the processor that is at it, which has
//! room for a thousand (`net.core.netdev_max_backlog`, which is the host's). So a datagram in three fragments would never come out whole
//! of a switch with four hundred ports. A veth end that gathers packets (GRO) has a queue of its own, for what comes from an end
//! that cuts none (TSO); behind a crowded switch that is what they do. Streams pay for it, with a quarter of their speed or so.

use super::Lab;
use super::error::{LabError, Result};
use crate::kernel::netlink::Offload;
use crate::topology::Endpoint;

impl Lab {
    /// Gives a queue of its own to each interface behind a crowded switch that has none.
    pub(super) fn relieve(&mut self) -> Result<()> {
        if !self.plan.switches.iter().any(|switch| switch.crowded) {
            return Ok(());
        }
        for link in &self.links {
            let (id, line) = (link.id(), &link.line);
            let Some(port) = line.port() else { continue };
            let Endpoint::Switch(switch) = self.topology.ends(id)[port] else {
                continue;
            };
            let crowded = self.plan.switches[switch.index()].crowded;
            // What has something between its ends is no plain pair, and has queues there.
            let plain = line.cable.middle.is_none() && !link.is_removed();
            if !crowded || !plain || self.relieved.contains(&id) {
                continue;
            }
            for (which, what, on) in [
                (port, Offload::Segmentation, false),
                (1 - port, Offload::Gathering, true),
            ] {
                let set = line.open(which)?.offload(line.device(which), what, on);
                set.map_err(|e| LabError::network(line.whose(which), e))?;
            }
            self.relieved.insert(id);
        }
        Ok(())
    }
}
