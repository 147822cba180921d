//! What a test asks of a router that advertises itself.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};

use crate::topology::node::is_default;
use crate::topology::{Subnet, SubnetError};

/// Router advertisements of a node, by which hosts on its networks make addresses of their own.
///
/// The node advertises itself as a default router (if it forwards), the /64 of each of its
/// networks, and the name servers of the lab (RDNSS, RFC 8106) by the addresses that hosts there
/// reach them at.
///
/// ```
/// use snowglobe_model::ndp::AdvertiseSpec;
/// use snowglobe_model::topology::{NodeSpec, Topology};
///
/// let mut topology = Topology::new();
/// let router = NodeSpec::new("router").forward(true).advertise(AdvertiseSpec::new());
/// let router = topology.node(router);
/// let host = topology.node(NodeSpec::new("host").autoconfigure());
/// topology.link(router, host);
/// topology.validate()?;
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdvertiseSpec {
    /// The prefix, as text; that of each network if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prefix: Option<String>,
    /// Whether the prefixes are those that the router is delegated by the uplink, by DHCPv6.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) delegated: bool,
    /// Whether hosts are to get their addresses by DHCPv6, and not to make them of the prefix.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) managed: bool,
    /// Whether hosts are to ask for name servers and the like by DHCPv6.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) other: bool,
    /// Time for which addresses are valid that are made from the prefix.
    #[serde(with = "crate::impair::text::serde_duration")]
    pub(crate) lifetime: Duration,
}

impl Default for AdvertiseSpec {
    fn default() -> Self {
        Self {
            prefix: None,
            delegated: false,
            managed: false,
            other: false,
            // RFC 4861, section 6.2.1: AdvDefaultLifetime is three times the longest interval.
            lifetime: Duration::from_secs(1800),
        }
    }
}

impl AdvertiseSpec {
    /// Returns advertisements of the prefixes of the plan, for half an hour each.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets another prefix, a /64, on all networks of the node. No router gets a route to it: hosts
    /// reach one another by it, and nobody beyond.
    pub fn prefix(mut self, prefix: impl ToString) -> Self {
        self.prefix = Some(prefix.to_string());
        self
    }

    /// Advertises a prefix that the router asks for at its uplink by DHCPv6, with a /64 out of it
    /// for each network behind it. The router has the first address of each.
    ///
    /// When the router gets another prefix, or none, hosts hear that the earlier one is over (RFC
    /// 9096, section 3.5). See [`Dhcp6Spec`](crate::dhcp6::Dhcp6Spec) for the other side.
    pub fn delegated(mut self) -> Self {
        self.delegated = true;
        self
    }

    /// Tells hosts to get their addresses by DHCPv6 (the flag M), and to make none of the prefix.
    pub fn managed(mut self) -> Self {
        self.managed = true;
        self
    }

    /// Tells hosts to ask for name servers and the like by DHCPv6 (the flag O), whatever they make
    /// their addresses of. A server in the node answers: see
    /// [`NodeSpec::dhcp6`](crate::topology::NodeSpec::dhcp6).
    pub fn other(mut self) -> Self {
        self.other = true;
        self
    }

    /// Returns whether hosts are to ask for name servers and the like by DHCPv6.
    pub fn is_other(&self) -> bool {
        self.other
    }

    /// Returns whether the prefixes are those that the router is delegated.
    pub fn is_delegated(&self) -> bool {
        self.delegated
    }

    /// Returns whether hosts are to get their addresses by DHCPv6.
    pub fn is_managed(&self) -> bool {
        self.managed
    }

    /// Sets the time for which addresses and the router are good. They are advertised again after
    /// a third of it.
    pub fn lifetime(mut self, time: Duration) -> Self {
        self.lifetime = time;
        self
    }

    /// Returns the prefix that was asked for.
    ///
    /// # Errors
    /// The text is no /64.
    pub fn parsed_prefix(&self) -> Result<Option<Subnet>, AdvertisedPrefixError> {
        let Some(text) = &self.prefix else {
            return Ok(None);
        };
        let subnet: Subnet = text.parse().map_err(AdvertisedPrefixError::Malformed)?;
        if !subnet.is_ipv6() || subnet.prefix() != 64 {
            // RFC 4291, section 2.5.1: the other half is the host's.
            return Err(AdvertisedPrefixError::Length(subnet));
        }
        if !subnet.is_forwarded() {
            return Err(AdvertisedPrefixError::NotForwarded(subnet));
        }
        Ok(Some(subnet))
    }

    /// Returns the seconds of the lifetime.
    pub fn seconds(&self) -> u16 {
        u16::try_from(self.lifetime.as_secs()).unwrap_or(u16::MAX)
    }
}

/// The reason why hosts can make no addresses of a prefix that a router is to advertise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdvertisedPrefixError {
    /// The text is no subnet.
    Malformed(SubnetError),
    /// The subnet is no /64 of IPv6.
    Length(Subnet),
    /// No host makes addresses of the subnet, since no router forwards packets to it.
    NotForwarded(Subnet),
}

impl fmt::Display for AdvertisedPrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(source) => source.fmt(f),
            Self::Length(subnet) => {
                write!(f, "`{subnet}` is no /64, of which hosts make addresses")
            }
            Self::NotForwarded(subnet) => write!(
                f,
                "`{subnet}` is no prefix to which routers forward packets; take global or unique local addresses, such as `fd00::/64`"
            ),
        }
    }
}

impl Error for AdvertisedPrefixError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Malformed(source) => Some(source),
            Self::Length(_) | Self::NotForwarded(_) => None,
        }
    }
}
