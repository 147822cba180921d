//! Changes of routers and firewalls of a running lab, and what they have counted.

use snowglobe_derive::Serialize;

use crate::lab::change::follow::Change;
use crate::lab::error::{LabError, Result};
use crate::lab::lab::Lab;
use crate::lab::node::node::Node;
use crate::lab::packet_filter::netfilter;
use crate::lab::unfit::UnfitService;
use crate::model::dhcp6::Dhcp6Spec;
use crate::topology::{Firewall, LinkId, NodeId, NodeSpec, RouterSpec, Topology};

/// The packets that the rules of one name counted, in a firewall or at a translation of addresses.
///
/// Translation counts the first packet of each connection, and a rule each packet that it decided
/// about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirewallCounter {
    /// The name or the text of the rule; `inbound` and `outbound` for what fitted no rule;
    /// `replies` for replies to what was let through; `nat` for translated connections; `dscp` and
    /// `ecn` for packets whose marks were changed.
    pub rule: String,
    /// The number of packets.
    pub packets: u64,
    /// The number of bytes, from the network header on.
    pub bytes: u64,
}

impl Node {
    /// Returns what the firewall of the node has counted since it was last changed, and the
    /// translation of addresses.
    ///
    /// # Errors
    /// The kernel refuses to list the rules, or the node was removed.
    pub fn firewall_counters(&self) -> Result<Vec<FirewallCounter>> {
        let stack = self.stack();
        let netns = stack.require_netns()?;
        let counters = netfilter::counters(&mut stack.packet_filter().lock(), netns)
            .map_err(|error| LabError::network(format!("node `{}`", self.name()), error))?;
        let counter = |one: crate::kernel::nft::RuleCounter| FirewallCounter {
            rule: one.label,
            packets: one.packets,
            bytes: one.bytes,
        };
        Ok(counters.into_iter().map(counter).collect())
    }
}

impl Lab {
    /// Gives a node or router another firewall. Connections that the new one would not have let
    /// begin stall from now on.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # use snowglobe::topology::Firewall;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// let mut topology = Topology::new();
    /// let internet = topology.internet();
    /// let office = topology.router("office");
    /// topology.uplink(office, internet);
    /// let mut lab = topology.start()?;
    /// lab.set_firewall(office, Firewall::udp_blocked())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The firewall is wrong, or the kernel refuses it. Nothing has changed then.
    pub fn set_firewall(&mut self, id: NodeId, firewall: Firewall) -> Result<()> {
        self.change(|topology| topology.edit_node(id, |spec| spec.firewall(firewall)))
    }

    /// Changes a router: its translation, its firewall, its answers to packets that are too large.
    ///
    /// # Errors
    /// The router is wrong, or the kernel refuses the change. Nothing has changed then.
    pub fn change_router(
        &mut self,
        id: NodeId,
        change: impl FnOnce(RouterSpec) -> RouterSpec,
    ) -> Result<()> {
        let change = |spec: NodeSpec| change(spec.into()).into();
        self.change(|topology| topology.edit_node(id, change))
    }

    /// Lets a DHCPv6 server give something else from now on: other addresses, other prefixes or
    /// other times. A client hears so when it asks for more time: what it has is over then, and it
    /// gets something else in its place. Routes to delegated prefixes follow.
    ///
    /// ```no_run
    /// # use snowglobe::dhcp6::Dhcp6Spec;
    /// # use snowglobe::prelude::*;
    /// # fn renumber(lab: &mut Lab, isp: snowglobe::topology::NodeId) -> TestResult {
    /// let other = Dhcp6Spec::new().delegate("2001:db8:200::/40", 56);
    /// lab.set_dhcp6(isp, other)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The node has no such server, or what it is to give is wrong, as a prefix that is too short
    /// for those who have asked. Nothing has changed then.
    pub fn set_dhcp6(&mut self, id: NodeId, dhcp6: Dhcp6Spec) -> Result<()> {
        if self[id].dhcp6().is_none() {
            let subject = self[id].subject();
            return Err(LabError::unfit(subject, UnfitService::NoDhcp6));
        }
        self.change(|topology| topology.edit_node(id, |spec| spec.dhcp6(dhcp6)))
    }

    /// Changes the metric of the default routes over a link. A node that has several leaves by the
    /// one with the lowest metric, so this is how a phone changes from Wi-Fi to mobile.
    ///
    /// These routes include those that servers have given, and those from router advertisements,
    /// for which the node asks again. If the router says nothing for the patience of the lab
    /// ([`Lab::set_patience`]), or cannot be heard because the link is cut or nobody else runs
    /// there, its route keeps the old metric until the next advertisement. A program that manages
    /// the addresses has metrics of its own.
    ///
    /// # Errors
    /// A node has another default route with that metric, or the kernel refuses the change: nothing
    /// has changed then.
    pub fn set_metric(&mut self, link: LinkId, metric: u32) -> Result<()> {
        self.change(|topology| topology.edit_link(link, |spec| spec.metric(metric)))?;
        self.renew_advertised_routes(link)
    }

    /// Changes settings in the topology that need no new part.
    fn change(&mut self, edit: impl FnOnce(&mut Topology)) -> Result<()> {
        // The edit works on a copy: after an error the lab has the topology from before.
        let mut topology = self.topology().clone();
        edit(&mut topology);
        let plan = self.plan().follow(&topology, &self.removed_links(), None)?;
        let mut change = Change::begin(self, topology, plan);
        let changed = change.follow(self);
        if changed.is_err() {
            change.take_back(self);
        }
        changed
    }
}
