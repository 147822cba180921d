//! Where a router serves, and what carries its NAT.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::lab::error::Result;
use crate::lab::lab::Lab;
use crate::lab::node::node::Node;
use crate::lab::stack::stack::Stack;
use crate::model::nat::{Hairpinning, NatEngine, NatSpec, PortForward};
use crate::topology::plan::{InterfacePlan, NodePlan, Plan};
use crate::wire::UplinkNat;

/// Where a router serves.
#[derive(Clone, Debug)]
pub(crate) struct LeaseSite {
    /// The networks behind the router.
    pub(super) inside: Vec<InsideNetwork>,
    pub(super) carrier: NatCarrier,
    pub(super) stack: Arc<Stack>,
    /// The index of the uplink that has the external ports.
    pub(super) uplink: u32,
    /// Whether a firewall stands there.
    pub(super) firewall: bool,
    /// The behaviours of the NAT. Others may have lost its mappings.
    pub(super) nat: NatSpec,
}

/// A network behind a router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InsideNetwork {
    /// The index and the name of the interface.
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) mac: [u8; 6],
    /// The address of the router there.
    pub(super) address: Ipv4Addr,
}

/// What carries the NAT of a router.
#[derive(Clone, Debug)]
pub(super) enum NatCarrier {
    /// The wire of the uplink.
    Wire(Arc<UplinkNat>),
    /// nftables.
    Kernel(KernelNat),
}

/// A NAT that nftables carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KernelNat {
    /// The external address.
    pub(super) external: Ipv4Addr,
    /// Whether hosts inside reach one another by the external address.
    pub(super) hairpins: bool,
    /// The ports that are forwarded anyway.
    pub(super) forwards: Vec<PortForward>,
}

impl LeaseSite {
    /// Returns the site of a node; nothing for a node that does not translate.
    fn of(lab: &Lab, plan: &Plan, planned: &NodePlan, node: &Node) -> Option<Self> {
        let netfilter = plan[planned.stack].netfilter.as_ref()?;
        let nat = netfilter.router.as_ref()?.nat.as_ref()?;
        let interfaces = &plan[planned.stack].interfaces;
        let mut uplinks = interfaces.iter().filter(|it| it.uplink);
        let uplink = uplinks.next()?;
        let carrier = match nat.carried_by() {
            NatEngine::Nftables | NatEngine::Auto => NatCarrier::Kernel(KernelNat {
                external: uplink.v4().next()?,
                hairpins: nat.hairpinning != Hairpinning::Off,
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
        Some(Self {
            inside: behind.filter_map(inside).collect(),
            carrier,
            stack: Arc::clone(node.stack()),
            uplink: uplink.index,
            firewall: netfilter.firewall.is_some(),
            nat: nat.clone(),
        })
    }
}

impl Lab {
    /// Tells the routers what the plan says of their port mapping.
    pub(crate) fn place_port_mappers(&self) {
        let plan = self.plan();
        for (node, planned) in self.all_nodes().iter().zip(&plan.nodes) {
            let site = LeaseSite::of(self, plan, planned, node);
            let served = planned.port_mapping.filter(|served| served.is_on());
            node.own_services().port_mapper.place(served, site);
        }
    }

    /// Starts, ends and changes the port mapping of routers that run, as the plan says.
    pub(crate) fn follow_port_mapping(&self) -> Result<()> {
        self.place_port_mappers();
        let running = self.all_nodes().iter().filter(|node| node.is_running());
        running
            .filter(|node| !node.is_removed())
            .try_for_each(|node| node.follow_services())
    }
}
