//! Firewalls as values: what a router lets across its uplinks, or a host in and out.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use snowglobe_derive::{Deserialize, Serialize};
use snowglobe_text::{FromTree, Tree, TreeError};

use crate::topology::node::is_default;

/// The port of a router at which the page of a captive portal is served.
pub const PORTAL_PORT: u16 = 8088;

/// A range for a list of ports that is empty: without a range, a rule would be about all ports.
pub(crate) const NO_PORTS: [u16; 2] = [1, 0];

/// A firewall, which knows connections. Of a router, it stands at the uplinks: *inbound* is what
/// begins in front of the router. Of another node, it stands before the node itself.
///
/// Replies to what was let through always pass, and so do ICMP errors about it and the answers of
/// DHCPv6 servers. Rules are looked at in their order, and the first that fits decides; what fits
/// none has the fate that `inbound` and `outbound` name. The firewall of a home
/// ([`Firewall::home`]) leaves IPv4 to the filter of the NAT. A changed firewall also ends
/// connections that it would not have let begin.
///
/// ```
/// use snowglobe_model::topology::{Firewall, FirewallAction, FirewallRule, RouterSpec};
///
/// let office = Firewall::web_only()
///     .rule(FirewallRule::outbound(FirewallAction::Accept).tcp().ports([22]).to("5.0.0.0/8"));
/// let router = RouterSpec::new("office").firewall(office);
/// # drop(router);
/// ```
///
/// In TOML: `firewall = "udp_blocked"` of a router, `network.firewall = "inbound_block"` of a node,
/// or `network.firewall = { inbound = "drop", rules = [{ heading = "outbound", action = "drop",
/// protocol = "udp" }] }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Firewall {
    /// The fate of what begins outside and fits no rule.
    #[serde(skip_serializing_if = "is_default")]
    pub inbound: FirewallAction,
    /// Whether the NAT's own [`filtering`](crate::nat::NatSpec::filtering) decides, in the place of
    /// `inbound`, who of outside reaches a mapping of IPv4. A router alone has a NAT.
    #[serde(skip_serializing_if = "is_default")]
    pub leaves_v4_to_nat: bool,
    /// The fate of what begins inside and fits no rule.
    #[serde(skip_serializing_if = "is_default")]
    pub outbound: FirewallAction,
    /// The rules, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<FirewallRule>,
    /// The portal that stands before the Internet, of a router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub portal: Option<CaptivePortal>,
    /// Whether packets that the firewall does not let through are events of the lab.
    #[serde(skip_serializing_if = "is_default")]
    pub log: bool,
}

/// The fate of a packet at a firewall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirewallAction {
    /// The packet passes.
    #[default]
    Accept,
    /// The packet vanishes.
    Drop,
    /// The packet vanishes, and its sender is told: by a reset of TCP, or by ICMP,
    /// administratively prohibited.
    Reject,
}

/// The side on which a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heading {
    /// The connection begins in front of the firewall.
    Inbound,
    /// The connection begins behind the firewall.
    Outbound,
}

/// A protocol that a firewall tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirewallProtocol {
    /// TCP.
    Tcp,
    /// UDP, and with it QUIC.
    Udp,
    /// ICMP and ICMPv6.
    Icmp,
}

/// A rule of a firewall.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirewallRule {
    /// The side on which the connections of the rule begin.
    pub heading: Heading,
    /// The fate of their packets.
    pub action: FirewallAction,
    /// The protocol; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<FirewallProtocol>,
    /// The destination ports, as ranges from the first to the last; none for all.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "ports_of_list"
    )]
    pub ports: Vec<[u16; 2]>,
    /// The network that the connections come from, such as `10.0.0.0/8`; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The network that the connections lead to; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The name of its counter, if not the text of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A captive portal, as hotels have: until it admits a host, the host reaches name servers only,
/// and every page of plain HTTP is that of the portal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptivePortal {
    /// The page, as HTML.
    pub page: String,
    /// The addresses of hosts that are admitted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub admitted: BTreeSet<IpAddr>,
}

impl Firewall {
    /// Returns a firewall that lets everything through.
    pub fn open() -> Self {
        Self::default()
    }

    /// Returns a firewall that drops what begins outside, whatever a NAT would let in.
    pub fn inbound_block() -> Self {
        Self {
            inbound: FirewallAction::Drop,
            ..Self::open()
        }
    }

    /// Returns the firewall of a home router: it drops what begins outside, but leaves IPv4 to the
    /// filter of the NAT, so that a full cone is one. Rules hold for IPv4 all the same.
    pub fn home() -> Self {
        Self {
            leaves_v4_to_nat: true,
            ..Self::inbound_block()
        }
    }

    /// Returns a firewall that drops what begins outside, and all UDP.
    pub fn udp_blocked() -> Self {
        let udp = FirewallRule::outbound(FirewallAction::Drop).udp();
        Self::inbound_block().rule(udp)
    }

    /// Returns a firewall that lets TCP to ports 80 and 443 out, and questions to name servers
    /// (port 53). The firewall drops everything else.
    pub fn web_only() -> Self {
        let accept = || FirewallRule::outbound(FirewallAction::Accept);
        Self {
            outbound: FirewallAction::Drop,
            ..Self::inbound_block()
        }
        .rule(accept().tcp().ports([53, 80, 443]))
        .rule(accept().udp().ports([53]))
    }

    /// Returns a firewall with a captive portal that shows this page.
    pub fn captive_portal(page: impl Into<String>) -> Self {
        Self {
            portal: Some(CaptivePortal {
                page: page.into(),
                admitted: BTreeSet::new(),
            }),
            ..Self::inbound_block()
        }
    }

    /// Adds a rule behind those that there are.
    pub fn rule(mut self, rule: FirewallRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Makes packets that the firewall does not let through events of the lab.
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Lets the captive portal admit a host, by its address.
    pub fn admit(mut self, host: IpAddr) -> Self {
        if let Some(portal) = &mut self.portal {
            portal.admitted.insert(host);
        }
        self
    }
}

impl FirewallRule {
    /// Returns a rule about all that begins outside.
    pub fn inbound(action: FirewallAction) -> Self {
        Self::new(Heading::Inbound, action)
    }

    /// Returns a rule about all that begins inside.
    pub fn outbound(action: FirewallAction) -> Self {
        Self::new(Heading::Outbound, action)
    }

    fn new(heading: Heading, action: FirewallAction) -> Self {
        Self {
            heading,
            action,
            protocol: None,
            ports: Vec::new(),
            from: None,
            to: None,
            name: None,
        }
    }

    /// Limits the rule to TCP.
    pub fn tcp(mut self) -> Self {
        self.protocol = Some(FirewallProtocol::Tcp);
        self
    }

    /// Limits the rule to UDP.
    pub fn udp(mut self) -> Self {
        self.protocol = Some(FirewallProtocol::Udp);
        self
    }

    /// Limits the rule to ICMP and ICMPv6.
    pub fn icmp(mut self) -> Self {
        self.protocol = Some(FirewallProtocol::Icmp);
        self
    }

    /// Limits the rule to these destination ports. Without any, the rule fits no packet, and is
    /// refused before a lab starts.
    pub fn ports(self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.port_ranges(ports.into_iter().map(|port| [port, port]))
    }

    /// Limits the rule to destination ports from `first` to `last`.
    pub fn port_range(self, first: u16, last: u16) -> Self {
        self.port_ranges([[first, last]])
    }

    fn port_ranges(mut self, ranges: impl IntoIterator<Item = [u16; 2]>) -> Self {
        self.ports.retain(|range| *range != NO_PORTS);
        self.ports.extend(ranges);
        if self.ports.is_empty() {
            self.ports.push(NO_PORTS);
        }
        self
    }

    /// Limits the rule to connections that come from a network, such as `10.0.0.0/8`.
    pub fn from(mut self, network: impl ToString) -> Self {
        self.from = Some(network.to_string());
        self
    }

    /// Limits the rule to connections that lead to a network, such as `10.0.0.0/8`.
    pub fn to(mut self, network: impl ToString) -> Self {
        self.to = Some(network.to_string());
        self
    }

    /// Gives the rule a name, under which it counts packets.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Returns the name under which the rule counts packets: its own, or the text of the rule.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.to_string())
    }
}

impl fmt::Display for FirewallAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject => "reject",
        })
    }
}

impl fmt::Display for Heading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        })
    }
}

fn ports_of_list(tree: &Tree) -> Result<Vec<[u16; 2]>, TreeError> {
    let ports = Vec::from_tree(tree)?;
    Ok(if ports.is_empty() {
        vec![NO_PORTS]
    } else {
        ports
    })
}

/// The text of a rule: `drop outbound udp 53 to 10.0.0.0/8`.
impl fmt::Display for FirewallRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action, self.heading)?;
        match self.protocol {
            None => {}
            Some(FirewallProtocol::Tcp) => f.write_str(" tcp")?,
            Some(FirewallProtocol::Udp) => f.write_str(" udp")?,
            Some(FirewallProtocol::Icmp) => f.write_str(" icmp")?,
        }
        for (number, [first, last]) in self.ports.iter().enumerate() {
            f.write_str(if number == 0 { " " } else { "," })?;
            write!(f, "{first}")?;
            if last != first {
                write!(f, "-{last}")?;
            }
        }
        if let Some(from) = &self.from {
            write!(f, " from {from}")?;
        }
        match &self.to {
            Some(to) => write!(f, " to {to}"),
            None => Ok(()),
        }
    }
}
