//! What a test asks for: where the addresses of a node come from, and who gives them.

use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};

/// The source of a node's addresses of one family:
/// [`NodeSpec::addresses`](crate::topology::NodeSpec::addresses) for IPv4,
/// [`NodeSpec::addresses_v6`](crate::topology::NodeSpec::addresses_v6) for IPv6. A node with
/// uplinks asks there, as the router of a home does; on the networks behind it, it has addresses of
/// the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressSource {
    /// The plan: each interface has an address from the start on.
    #[default]
    Plan,
    /// A DHCP server of the node's network, asked by a client of the lab. The lab has started when
    /// each interface has a lease (of IPv6: on each network whose router has hosts ask).
    Dhcp,
    /// A program of the node, such as a DHCP client under test. The interfaces are up, without an
    /// address.
    Program,
}

/// A DHCP server that runs in a node.
///
/// The server gives addresses on the networks of the node on which somebody needs one, tells the
/// node's own address as the router (if the node forwards), and the name servers and the domain of
/// the lab.
///
/// ```
/// use std::time::Duration;
/// use snowglobe_model::dhcp::{AddressSource, DhcpSpec};
/// use snowglobe_model::topology::{NodeSpec, Topology};
///
/// let mut topology = Topology::new();
/// let lan = topology.switch("lan");
/// let dhcp = DhcpSpec::new().lease(Duration::from_secs(600)).pool("10.0.0.100-10.0.0.199");
/// let server = topology.node(NodeSpec::new("server").dhcp(dhcp));
/// let client = topology.node(NodeSpec::new("client").addresses(AddressSource::Dhcp));
/// topology.plug(server, lan);
/// topology.plug(client, lan);
/// topology.validate()?;
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DhcpSpec {
    /// Time for which a client has an address.
    #[serde(with = "crate::impair::text::serde_duration")]
    pub(crate) lease: Duration,
    /// Time after which a client asks for more; half of the lease if none is given.
    #[serde(
        with = "crate::impair::text::serde_optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) renew_after: Option<Duration>,
    /// The first and the last address, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pool: Option<String>,
}

impl Default for DhcpSpec {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(3600),
            renew_after: None,
            pool: None,
        }
    }
}

impl DhcpSpec {
    /// Returns a server that gives all addresses of its networks that nobody has, for an hour each.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time for which a client has an address. The client asks for more time after half of
    /// the lease, unless [`renew_after`](Self::renew_after) says otherwise.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// Sets the time after which a client asks for more (T1, option 58). A test that waits for a
    /// client to hear of a change takes a short one with a long lease, which no busy machine lets
    /// end.
    pub fn renew_after(mut self, time: Duration) -> Self {
        self.renew_after = Some(time);
        self
    }

    /// Sets the addresses that are given, as the first and the last one: `10.0.0.100-10.0.0.199`.
    pub fn pool(mut self, range: impl Into<String>) -> Self {
        self.pool = Some(range.into());
        self
    }
}
