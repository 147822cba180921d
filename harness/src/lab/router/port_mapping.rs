//! The places where the routers of a lab serve hosts that ask for ports.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::lab::error::Result;
use crate::lab::lab::Lab;
use crate::lab::node::node::Node;
use crate::lab::services::portmap::site::{InsideNetwork, KernelNat, LeaseSite, NatCarrier};
use crate::model::nat::NatEngine;
use crate::topology::plan::{InterfacePlan, NodePlan, Plan};

/// Returns the site of a node; nothing for a node that does not translate.
fn site_of(lab: &Lab, plan: &Plan, planned: &NodePlan, node: &Node) -> Option<LeaseSite> {
    let netfilter = plan[planned.stack].own.netfilter.as_ref()?;
    let nat = netfilter.router.as_ref()?.nat.as_ref()?;
    let interfaces = &plan[planned.stack].interfaces;
    // A host has one external address: that of the first uplink.
    let mut uplinks = interfaces.iter().filter(|it| it.uplink);
    let uplink = uplinks.next()?;
    let carrier = match nat.carried_by() {
        NatEngine::Nftables | NatEngine::Auto => NatCarrier::Kernel(KernelNat {
            external: uplink.v4().next().unwrap_or(Ipv4Addr::UNSPECIFIED),
            hairpins: nat.hairpinning.is_on(),
            forwards: nat.forwards.clone(),
        }),
        NatEngine::Userspace => {
            let link = lab.all_links().get(uplink.link.index())?;
            NatCarrier::Wire(Arc::clone(link.ends().nat()?))
        }
    };
    let inside = |it: &InterfacePlan| {
        Some(InsideNetwork {
            index: it.index,
            name: it.name.clone(),
            mac: it.mac,
            address: it.v4().next()?,
        })
    };
    let behind = interfaces.iter().filter(|it| !it.uplink);
    Some(LeaseSite {
        inside: behind.filter_map(inside).collect(),
        carrier,
        stack: Arc::clone(node.stack()),
        uplink: uplink.index,
        firewall: netfilter.firewall.is_some(),
        nat: nat.clone(),
    })
}

impl Lab {
    /// Tells the routers what the plan says of their port mapping.
    pub(crate) fn place_port_mappers(&self) {
        let plan = self.plan();
        for (node, planned) in self.all_nodes().iter().zip(&plan.nodes) {
            let site = site_of(self, plan, planned, node);
            let served = planned.port_mapping.filter(|served| served.is_on());
            node.own_services().port_mapper.place(served, site);
        }
    }

    /// Starts, ends and changes the port mapping of routers that run, as the plan says.
    pub(crate) fn follow_port_mapping(&self) -> Result<()> {
        // All sites are set at first: a service that starts finds its site.
        self.place_port_mappers();
        let running = self.all_nodes().iter().filter(|node| node.is_running());
        running
            .filter(|node| !node.is_removed())
            .try_for_each(|node| node.follow_services())
    }
}
