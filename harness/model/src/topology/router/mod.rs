//! Specifications of routers.
//!
//! A router is a node that forwards. Its uplink leads to the networks in front of it, and all its
//! other links to the networks behind it. Hosts behind a router have a default route to it, and the
//! router has a default route over its uplink.

mod by_hand;
mod firewall;
mod marks;

use snowglobe_derive::{Deserialize, Serialize};

use super::node::{NodeSpec, is_default};
use crate::nat::{NatSpec, preset, preset_or_spec};
use crate::portmap::PortMappingSpec;
use crate::v6::{Nat64Spec, V6Nat};

pub use by_hand::RouteSpec;
pub(crate) use firewall::NO_PORTS;
pub use firewall::{
    CaptivePortal, Firewall, FirewallAction, FirewallProtocol, FirewallRule, Heading, PORTAL_PORT,
};
pub(crate) use marks::LAST_DSCP;
pub use marks::{Dscp, Ecn};

/// The specification of a router, built by chained calls. A `&str` is a `RouterSpec` that forwards
/// and does nothing else.
///
/// ```
/// use snowglobe_model::topology::{RouterSpec, Topology};
///
/// let mut topology = Topology::new();
/// let internet = topology.internet();
/// let home = topology.router(RouterSpec::home("home"));
/// topology.uplink(home, internet);
/// let laptop = topology.node("laptop");
/// topology.link(laptop, home);
/// let server = topology.node("server");
/// topology.link(server, internet);
/// let plan = topology.plan()?;
/// let default = plan.stack(laptop).routes().next().unwrap();
/// assert_eq!(default.to.to_string(), "0.0.0.0/0");
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterSpec {
    node: NodeSpec,
}

/// The settings of a router, besides those of any node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouterSettings {
    /// The translation of addresses at the uplinks.
    #[serde(
        deserialize_with = "preset_or_spec",
        skip_serializing_if = "Option::is_none"
    )]
    pub nat: Option<NatSpec>,
    /// The translation of IPv6 addresses at the uplinks.
    #[serde(skip_serializing_if = "is_default")]
    pub nat_v6: V6Nat,
    /// The NAT64 between hosts of IPv6 behind the router and hosts of IPv4 in front of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat64: Option<Nat64Spec>,
    /// The protocols by which the router gives ports to hosts that ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_mapping: Option<PortMappingSpec>,
    /// Treatment of the messages by which senders find out the MTU of a path.
    #[serde(skip_serializing_if = "is_default")]
    pub path_mtu: PathMtu,
    /// The fate of the code point of differentiated services.
    #[serde(skip_serializing_if = "is_default")]
    pub dscp: Dscp,
    /// The fate of the bits of explicit congestion notification.
    #[serde(skip_serializing_if = "is_default")]
    pub ecn: Ecn,
    /// Whether the networks of the router belong to the Internet: automatic addresses there are
    /// public ones.
    #[serde(skip_serializing_if = "is_default")]
    pub public: bool,
}

/// Treatment of the messages by which senders find out the MTU of a path (RFC 1191, RFC 8201).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathMtu {
    /// A packet that is too large for the next link is answered by ICMP.
    #[default]
    Discoverable,
    /// The router sends no such messages and lets none pass: a packet that is too large vanishes
    /// (RFC 2923, section 2.1).
    Blackhole,
}

impl RouterSettings {
    /// Returns what the kernel of the router is to do: the ports that hosts ask for are a matter of
    /// a service, which changes no rule of the router.
    pub(crate) fn in_kernel(&self) -> Self {
        Self {
            port_mapping: None,
            ..self.clone()
        }
    }

    /// Returns whether the router needs the kernel's packet filter: one that only forwards does
    /// not.
    pub(crate) fn needs_packet_filter(&self) -> bool {
        // Without `..`, so that a new setting has to be thought of here. NAT64 and port mapping are
        // services beside the filter, and `public` is a matter of the plan.
        let Self {
            nat,
            nat_v6,
            nat64: _,
            port_mapping: _,
            path_mtu,
            dscp,
            ecn,
            public: _,
        } = self;
        nat.is_some()
            || nat_v6.separates()
            || *path_mtu != PathMtu::Discoverable
            || *dscp != Dscp::Keep
            || *ecn != Ecn::Keep
    }
}

impl RouterSpec {
    /// Returns the specification of a router with this name, which forwards all packets.
    pub fn new(name: impl Into<String>) -> Self {
        NodeSpec::new(name).into()
    }

    /// Returns the specification of a home router: it translates IPv4 addresses, and has the
    /// firewall [`Firewall::home`].
    pub fn home(name: impl Into<String>) -> Self {
        Self::new(name)
            .nat(preset::home())
            .firewall(Firewall::home())
    }

    /// Sets the translation of IPv4 addresses at the uplinks.
    pub fn nat(self, nat: NatSpec) -> Self {
        self.change(|router| router.nat = Some(nat))
    }

    /// Sets the translation of IPv6 addresses at the uplinks: none unless set.
    ///
    /// ```
    /// use snowglobe_model::topology::RouterSpec;
    /// use snowglobe_model::v6::{PrefixTranslation, V6Nat};
    ///
    /// let site = PrefixTranslation::new("fd01:203:405::/48", "2001:db8:1::/48");
    /// let router = RouterSpec::new("site").nat_v6(V6Nat::Prefix(site));
    /// # drop(router);
    /// ```
    pub fn nat_v6(self, nat: V6Nat) -> Self {
        self.change(|router| router.nat_v6 = nat)
    }

    /// Lets hosts of IPv6 behind the router reach hosts of IPv4: see [`Nat64Spec`].
    ///
    /// A router without a NAT of IPv4 gets the one that RFC 6146, section 3.5 asks for:
    /// [`preset::restricted_cone`].
    pub fn nat64(self, nat64: Nat64Spec) -> Self {
        self.change(|router| {
            router.nat.get_or_insert_with(preset::restricted_cone);
            router.nat64 = Some(nat64);
        })
    }

    /// Sets the protocols by which the router gives ports to hosts behind it that ask: NAT-PMP, PCP
    /// and UPnP. Without this, it gives none.
    ///
    /// ```
    /// use snowglobe_model::portmap::PortMappingSpec;
    /// use snowglobe_model::topology::RouterSpec;
    ///
    /// let home = RouterSpec::home("home").port_mapping(PortMappingSpec::all());
    /// ```
    pub fn port_mapping(self, served: PortMappingSpec) -> Self {
        self.change(|router| router.port_mapping = served.is_on().then_some(served))
    }

    /// Sets the firewall, which stands at the uplinks.
    pub fn firewall(mut self, firewall: Firewall) -> Self {
        self.node.network.firewall = Some(firewall);
        self
    }

    /// Sets what becomes of the messages by which senders find out the MTU of a path.
    pub fn path_mtu(self, path_mtu: PathMtu) -> Self {
        self.change(|router| router.path_mtu = path_mtu)
    }

    /// Sets what becomes of the code point of differentiated services (DSCP) in packets that the
    /// router forwards.
    ///
    /// ```
    /// use snowglobe_model::topology::{Dscp, Ecn, RouterSpec};
    ///
    /// let bleaching = RouterSpec::new("transit").dscp(Dscp::Bleach).ecn(Ecn::Bleach);
    /// let premium = RouterSpec::new("premium").dscp(Dscp::Set(46));
    /// # drop((bleaching, premium));
    /// ```
    pub fn dscp(self, dscp: Dscp) -> Self {
        self.change(|router| router.dscp = dscp)
    }

    /// Sets what becomes of the bits of explicit congestion notification (ECN) in packets that the
    /// router forwards.
    pub fn ecn(self, ecn: Ecn) -> Self {
        self.change(|router| router.ecn = ecn)
    }

    /// Sets whether the networks of the router belong to the Internet.
    pub fn public(self, yes: bool) -> Self {
        self.change(|router| router.public = yes)
    }

    /// Adds a route by hand.
    pub fn route(mut self, route: RouteSpec) -> Self {
        self.node.network.routes.push(route);
        self
    }

    /// Changes what the router has in common with other nodes: programs, sysctls, mounts.
    ///
    /// ```
    /// use snowglobe_model::topology::RouterSpec;
    ///
    /// let router = RouterSpec::new("r1").node(|node| node.alias("gateway").command("bird"));
    /// ```
    pub fn node(mut self, change: impl FnOnce(NodeSpec) -> NodeSpec) -> Self {
        let router = self.node.network.router.take();
        self.node = change(self.node);
        self.node.network.router = router;
        self
    }

    fn change(mut self, change: impl FnOnce(&mut RouterSettings)) -> Self {
        change(self.node.network.router.get_or_insert_default());
        self
    }
}

impl From<NodeSpec> for RouterSpec {
    fn from(mut node: NodeSpec) -> Self {
        node.network.router.get_or_insert_default();
        Self { node }
    }
}

impl From<&str> for RouterSpec {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for RouterSpec {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl From<RouterSpec> for NodeSpec {
    fn from(router: RouterSpec) -> Self {
        router.node
    }
}
