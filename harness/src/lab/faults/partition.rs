//! Partitions: nodes of one side that do not hear nodes of another side.
//!
//! A partition holds whatever way packets take, so it cannot be a set of cut links. Each interface
//! of a deaf node drops what was sent by the other side, told by MAC and IP addresses.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::kernel::nft::DropFrom;
use crate::lab::error::{LabError, Result};
use crate::lab::faults::guard::{Healing, complain};
use crate::lab::faults::scene::Scene;
use crate::lab::stack::stack::{StackFilter, stack_subject};
use crate::model::side::Side;
use crate::topology::NodeId;
use crate::topology::plan::{InterfacePlan, StackId};

/// Nodes that do not hear each other for as long as this lives.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    filters: Vec<StackFilter>,
}

impl Partition {
    /// Lets each node of `to` drop all that a node of `from` has sent.
    pub(crate) fn new(lab: &Scene, from: &[NodeId], to: &[NodeId]) -> Result<Self> {
        let stacks = |nodes: &[NodeId]| -> BTreeSet<StackId> {
            let stack = |node: &NodeId| lab.plan.nodes[node.index()].stack;
            nodes.iter().map(stack).collect()
        };
        let (from, to) = (stacks(from), stacks(to));
        if let Some(both) = from.intersection(&to).next() {
            let subject = stack_subject(&lab.plan, *both);
            let why = "cannot be on both sides of a partition";
            return Err(LabError::invalid(subject, why));
        }
        let senders = from.iter().map(|stack| &lab.plan[*stack]);
        let interfaces: Vec<&InterfacePlan> = senders.flat_map(|stack| &stack.interfaces).collect();
        // Frames of a neighbour have its MAC address. Frames that a third node forwards have that
        // node's MAC address, and the sender is known by the IP address alone.
        let macs = interfaces.iter().map(|interface| interface.mac).collect();
        let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
        let addresses = addresses.map(|address| address.ip).collect();
        let drops = [DropFrom::Macs(macs), DropFrom::Addresses(addresses)];
        let mut partition = Partition {
            filters: Vec::new(),
        };
        // At every interface of a deaf node: packets may come over any of them.
        let ends = lab.links.iter().map(|link| &link.ends);
        for (ends, side) in ends.flat_map(|ends| Side::BOTH.map(|side| (ends, side))) {
            let Some(stack) = ends.stack(side) else {
                continue;
            };
            let is_deaf = |id: &StackId| Arc::ptr_eq(stack, &lab.stacks[id.index()]);
            if !to.iter().any(is_deaf) {
                continue;
            }
            // Two filters each: the packet filter compares a MAC address and an IP address with
            // sets of their own.
            for from in &drops {
                let filter = stack
                    .filter(ends.device(side), from.clone())
                    .map_err(|e| ends.refused(side, e))?;
                partition.filters.push(filter);
            }
        }
        Ok(partition)
    }

    /// Takes over the filters of another partition, to be removed together.
    pub(crate) fn add(&mut self, mut other: Self) {
        self.filters.append(&mut other.filters);
    }

    fn end(&mut self) -> Result<()> {
        let filters = std::mem::take(&mut self.filters);
        // Each filter is removed even if another one could not be.
        let removed = filters.iter().map(|filter| {
            let removed = filter.remove();
            removed.map_err(|e| LabError::network("a partition", e))
        });
        removed.fold(Ok(()), Result::and)
    }
}

impl Healing for Partition {
    fn heal(mut self: Box<Self>) -> Result<()> {
        self.end()
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        complain(self.end());
    }
}
