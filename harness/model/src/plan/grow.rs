//! Plans for a lab that runs: it grows, loses cables, and has cables moved to other switches.
//!
//! Nodes and links keep their numbers, so nothing is ever taken out of a topology. Removed cables
//! are left out of the routes. All other parts keep their addresses, names and bridges.

use std::collections::BTreeSet;

use super::build;
use super::kept::Kept;
use crate::impair::impairment::Impairment;
use crate::plan::id::NetnsId;
use crate::plan::plan::{CablePlan, NodePlan, Plan};
use crate::side::Side;
use crate::topology::error::{Site, TopologyError};
use crate::topology::id::{Endpoint, LinkId, Owner, SwitchId};
use crate::topology::link::Engine;
use crate::topology::problem::{ChangeProblem, NodePart};
use crate::topology::value::Topology;

impl Plan {
    /// Plans the same topology with more nodes, switches and links. Everything that the plan has
    /// already stays as it is; only routes may differ.
    ///
    /// # Errors
    /// The topology is wrong, or a link of the plan has changed.
    ///
    /// ```
    /// use snowglobe_model::topology::shape;
    ///
    /// let mut topology = shape::star(2);
    /// let before = topology.plan()?;
    /// let third = topology.node("n3");
    /// topology.plug(third, topology.find_switch("lan").unwrap());
    /// let after = before.grow(&topology)?;
    /// assert_eq!(before.cables[..], after.cables[..2]);
    /// assert_eq!(after.stack(third).interfaces[0].addresses[0].to_string(), "10.0.0.3/24");
    /// # Ok::<(), snowglobe_model::topology::TopologyError>(())
    /// ```
    pub fn grow(&self, topology: &Topology) -> Result<Plan, TopologyError> {
        self.follow(topology, &BTreeSet::new(), None)
    }

    /// Plans the same topology, as [`grow`](Self::grow) does, for a lab of which some cables are
    /// gone, or one was moved.
    ///
    /// # Errors
    /// The topology is wrong, or a link that is in use has changed.
    pub fn follow(
        &self,
        topology: &Topology,
        removed: &BTreeSet<LinkId>,
        moved: Option<LinkId>,
    ) -> Result<Plan, TopologyError> {
        let kept = Kept {
            plan: self,
            removed,
            moved,
        };
        let grown = build::plan(topology, Some(&kept))?;
        let same = |cable: &CablePlan| {
            let now = cable.link.and_then(|link| grown.cables.get(link.index()));
            now.is_some_and(|now| {
                let nat = now.translates() || cable.translates();
                grown.comparable_cable(now, nat) == self.comparable_cable(cable, nat)
            })
        };
        let mut still = self.cables.iter().filter(|cable| cable.link != moved);
        if let Some(changed) = still.find(|cable| !same(cable)) {
            let index = changed.link.map_or(0, LinkId::index);
            let problem = ChangeProblem::Link {
                link: changed.name.clone(),
            };
            let site = Site::new(LinkId::new(index), "ends");
            return Err(TopologyError::one(site, problem));
        }
        for (before, after) in self.nodes.iter().zip(&grown.nodes) {
            if let Some(part) = changed_part(before, after) {
                let site = Site::new(before.node, part.setting());
                let node = before.name.clone();
                return Err(TopologyError::one(site, ChangeProblem::Node { node, part }));
            }
        }
        Ok(grown)
    }

    /// Returns a cable without numbers that change when stacks are added: the stack of a new node
    /// comes before the stack of an old pod.
    ///
    /// `nat` tells that a NAT works on the wire of the cable, or did: it comes and goes while the
    /// link is in use, and the wire with it.
    fn comparable_cable(&self, cable: &CablePlan, nat: bool) -> (CablePlan, [Option<Owner>; 2]) {
        let mut cable = cable.clone();
        cable.nat = None;
        cable.prefixes = None;
        if let (true, Some(emulation)) = (nat, &mut cable.emulation)
            && emulation.engine == Engine::Wire
        {
            emulation.engine = Engine::Auto;
            if emulation.impairments.iter().all(Impairment::is_none) {
                cable.emulation = None;
            }
        }
        let owners = cable.ends.each_mut().map(|end| match end.netns {
            NetnsId::Hub => None,
            NetnsId::Stack(stack) => {
                end.netns = NetnsId::Hub;
                Some(self[stack].owner)
            }
        });
        (cable, owners)
    }
}

/// Returns something that a running node cannot change, and that differs between two plans.
fn changed_part(before: &NodePlan, after: &NodePlan) -> Option<NodePart> {
    let NodePlan {
        // These say which node it is, and where it is.
        node: _,
        name: _,
        stack: _,
        share_pid,
        rootfs,
        users,
        faulty_clock,
        mounts,
        commands,
        dns,
        dhcp,
        addresses,
        dhcp6,
        addresses_v6,
        advertise,
        autoconfigure,
        nat64,
        clat,
        // The service of each router follows the plan.
        port_mapping: _,
    } = before;
    let sources = (addresses, addresses_v6, autoconfigure);
    let sources_after = (&after.addresses, &after.addresses_v6, &after.autoconfigure);
    let parts = [
        (NodePart::Pids, *share_pid == after.share_pid),
        (NodePart::Rootfs, *rootfs == after.rootfs),
        (NodePart::Users, *users == after.users),
        (NodePart::Clock, *faulty_clock == after.faulty_clock),
        (NodePart::Mounts, *mounts == after.mounts),
        (NodePart::Commands, *commands == after.commands),
        (
            NodePart::Translation,
            (nat64, clat) == (&after.nat64, &after.clat),
        ),
        (NodePart::Dhcp, *dhcp == after.dhcp),
        (NodePart::AddressSource, sources == sources_after),
        // What these servers serve follows the plan.
        (NodePart::Dns, dns.is_some() == after.dns.is_some()),
        (NodePart::Dhcp6, dhcp6.is_some() == after.dhcp6.is_some()),
        (
            NodePart::Advertise,
            advertise.is_some() == after.advertise.is_some(),
        ),
    ];
    let mut parts = parts.into_iter();
    parts.find(|(_, is_same)| !is_same).map(|(part, _)| part)
}

impl Topology {
    /// Plugs the end of a cable that is in a switch into another switch.
    pub fn replug(&mut self, link: LinkId, side: Side, to: SwitchId) {
        self.links[link.index()].ends[side] = Endpoint::Switch(to);
    }
}
