//! Specifications of DHCPv6 servers.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};

use crate::topology::{Subnet, SubnetError};

/// A DHCPv6 server that runs in a node: it gives addresses to hosts and delegates prefixes to
/// routers, on the networks of the node.
///
/// Hosts ask it where a router says so ([`AdvertiseSpec::managed`](crate::ndp::AdvertiseSpec)).
/// Routers ask it for a prefix, out of which they number the networks behind them. The server's
/// node has a route to each delegated prefix, and all other nodes have one to the range of them.
///
/// ```
/// use snowglobe_model::dhcp6::Dhcp6Spec;
/// use snowglobe_model::ndp::AdvertiseSpec;
/// use snowglobe_model::topology::{NodeSpec, RouterSpec, Topology};
///
/// let mut topology = Topology::new();
/// let provider = Dhcp6Spec::new().delegate("2001:db8:100::/40", 56);
/// let provider = topology.router(RouterSpec::new("isp").node(|node| node.dhcp6(provider)));
/// let advertise = AdvertiseSpec::new().delegated();
/// let home = topology.router(RouterSpec::home("home").node(|node| node.advertise(advertise)));
/// topology.uplink(home, provider);
/// let laptop = topology.node(NodeSpec::new("laptop").autoconfigure());
/// topology.link(laptop, home);
/// topology.validate()?;
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dhcp6Spec {
    /// Time for which a client has an address or a prefix.
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
    /// The prefixes to delegate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delegate: Option<Delegation>,
    /// Whether a client that wants to gets what it asks for at once, by two messages instead of
    /// four.
    pub(crate) rapid_commit: bool,
}

/// The prefixes that a DHCPv6 server delegates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// The range of which they are parts, as text.
    pub prefix: String,
    /// The length of each, in bits.
    pub length: u8,
}

impl Default for Dhcp6Spec {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(3600),
            renew_after: None,
            pool: None,
            delegate: None,
            rapid_commit: true,
        }
    }
}

impl Dhcp6Spec {
    /// Returns a server that gives addresses with host numbers from `::1000` to `::1fff` on the
    /// networks of its node, for an hour each, and delegates no prefixes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time for which a client has an address or a prefix. It asks for more after half of
    /// it, unless [`renew_after`](Self::renew_after) says otherwise.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// Sets the time after which a client asks for more (T1). A test that waits for a client to
    /// hear of a change takes a short one with a long lease, which no busy machine lets end.
    pub fn renew_after(mut self, time: Duration) -> Self {
        self.renew_after = Some(time);
        self
    }

    /// Sets the addresses that are given, as the first and the last one:
    /// `2001:db8::100-2001:db8::1ff`.
    pub fn pool(mut self, range: impl Into<String>) -> Self {
        self.pool = Some(range.into());
        self
    }

    /// Delegates parts of a prefix, each of this length, to routers that ask: one to each.
    pub fn delegate(mut self, prefix: impl ToString, length: u8) -> Self {
        self.delegate = Some(Delegation {
            prefix: prefix.to_string(),
            length,
        });
        self
    }

    /// Sets whether a client that wants to gets what it asks for by two messages instead of four,
    /// as it does by default.
    pub fn rapid_commit(mut self, yes: bool) -> Self {
        self.rapid_commit = yes;
        self
    }

    /// Returns the range of which prefixes are delegated, if the server delegates any.
    pub fn delegated_range(&self) -> Option<Subnet> {
        self.delegate.as_ref()?.parsed().ok()
    }
}

impl Delegation {
    /// Returns the range, of which each part is at least a /64.
    ///
    /// # Errors
    /// The range has no such parts.
    pub fn parsed(&self) -> Result<Subnet, DelegationError> {
        let Self { prefix, length } = self;
        let length = *length;
        let range: Subnet = prefix.parse().map_err(DelegationError::Malformed)?;
        if !range.is_ipv6() {
            return Err(DelegationError::NotIpv6(range));
        }
        if !range.is_forwarded() {
            return Err(DelegationError::NotForwarded(range));
        }
        if length > 64 {
            // RFC 4291, section 2.5.4: the other 64 bits are the host's.
            return Err(DelegationError::TooShort(length));
        }
        if length < range.prefix() {
            return Err(DelegationError::LargerThanRange { range, length });
        }
        Ok(range)
    }
}

/// The reason why a server cannot delegate the prefixes of a [`Delegation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DelegationError {
    /// The range is no subnet.
    Malformed(SubnetError),
    /// The range is not one of IPv6.
    NotIpv6(Subnet),
    /// No router forwards packets to the addresses of the range.
    NotForwarded(Subnet),
    /// Prefixes of this length are too short for a network.
    TooShort(u8),
    /// Prefixes of this length are larger than the range.
    LargerThanRange {
        /// The range.
        range: Subnet,
        /// The length of the prefixes, in bits.
        length: u8,
    },
}

/// Tells the error as the rest of a sentence that begins with the server.
impl fmt::Display for DelegationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(source) => write!(f, "delegates parts of a prefix, but {source}"),
            Self::NotIpv6(range) => write!(
                f,
                "delegates parts of `{range}`, which is no prefix of IPv6"
            ),
            Self::NotForwarded(range) => write!(
                f,
                "delegates parts of `{range}`, to which no router forwards packets; take global or unique local addresses, such as `2001:db8::/40`"
            ),
            Self::TooShort(length) => write!(
                f,
                "delegates prefixes of {length} bits, which are too short for a network: hosts make addresses of a /64; delegate a /64 or more, such as a /56"
            ),
            Self::LargerThanRange { range, length } => write!(
                f,
                "is to delegate a /{length} out of `{range}`, which is smaller; take a larger range, or delegate a /{} at most",
                range.prefix()
            ),
        }
    }
}

impl Error for DelegationError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Malformed(source) => Some(source),
            Self::NotIpv6(_)
            | Self::NotForwarded(_)
            | Self::TooShort(_)
            | Self::LargerThanRange { .. } => None,
        }
    }
}
