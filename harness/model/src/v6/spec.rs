//! What a topology asks for: translation of IPv6 at uplinks, NAT64, and the client side of 464XLAT.

use std::net::Ipv4Addr;

use snowglobe_derive::{Deserialize, Serialize};

use super::embedded::EmbeddingPrefix;
use super::error::PrefixError;
use super::exchange::PrefixPair;
use crate::nat::NatEngine;
use crate::topology::Subnet;

/// The translation of IPv6 addresses at the uplinks of a router.
///
/// In TOML: `nat_v6 = "masquerade"`, or
/// `nat_v6.prefix = { inside = "fd01:203:405::/48", outside = "2001:db8:1::/48" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum V6Nat {
    /// No translation: hosts have addresses that are reached from outside.
    #[default]
    None,
    /// All hosts share the address of the uplink, as IPv4 hosts behind a home router do. The
    /// kernel carries it, with its own behaviours: mapping and filtering depend on the remote
    /// address and port.
    Masquerade,
    /// The prefix of addresses is exchanged for another one, and each host keeps an address of its
    /// own that is reached from outside (NPTv6, RFC 6296).
    Prefix(PrefixTranslation),
}

/// The prefixes of a router that exchanges them (NPTv6, RFC 6296). Both have the same length, of at
/// most 64 bits.
///
/// Nothing is remembered: each packet is translated by itself, and the checksums of TCP and UDP
/// hold, since 16 bits of the address make up for the change of the prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrefixTranslation {
    /// The prefix of the networks behind the router.
    pub inside: String,
    /// The prefix by which they are known in front of it. Routes there lead to the router.
    pub outside: String,
}

impl PrefixTranslation {
    /// Returns a translation between two prefixes, such as `fd01:203:405::/48` inside and
    /// `2001:db8:1::/48` outside.
    pub fn new(inside: impl ToString, outside: impl ToString) -> Self {
        Self {
            inside: inside.to_string(),
            outside: outside.to_string(),
        }
    }

    /// Reads the prefixes.
    ///
    /// # Errors
    /// The texts are no prefixes that can be exchanged.
    pub fn parsed(&self) -> Result<PrefixPair, PrefixError> {
        let pair = PrefixPair::new(self.inside.parse()?, self.outside.parse()?)?;
        for prefix in [pair.inside(), pair.outside()] {
            if !prefix.is_forwarded() {
                return Err(PrefixError::NotForwarded(prefix));
            }
        }
        Ok(pair)
    }
}

impl V6Nat {
    /// Returns the mechanism that carries the translation, if there is one: nftables has no
    /// exchange of prefixes that leaves checksums as they are (`snat prefix` tracks connections),
    /// so that one of ours works on the wire of the uplink.
    pub fn carried_by(&self) -> Option<NatEngine> {
        match self {
            Self::None => None,
            Self::Masquerade => Some(NatEngine::Nftables),
            Self::Prefix(_) => Some(NatEngine::Userspace),
        }
    }

    /// Returns whether the networks behind the router are apart from those in front of it.
    pub fn separates(&self) -> bool {
        *self != Self::None
    }

    /// Returns the prefixes that are exchanged, if they are prefixes.
    pub fn prefixes(&self) -> Option<PrefixPair> {
        match self {
            Self::Prefix(prefixes) => prefixes.parsed().ok(),
            Self::None | Self::Masquerade => None,
        }
    }
}

/// NAT64 in a router (RFC 6146): hosts of IPv6 reach hosts of IPv4 by addresses that begin with a
/// prefix and have the IPv4 address in them (RFC 6052).
///
/// TCP, UDP, ICMP echoes and ICMP errors are translated (RFC 7915). Each host gets an address of
/// the pool, and what leaves the router goes through its NAT of IPv4 like any other host behind it,
/// so that mapping, filtering, ports and timeouts are those of
/// [`RouterSpec::nat`](crate::topology::RouterSpec::nat).
///
/// ```
/// use snowglobe_model::topology::{Families, LinkSpec, RouterSpec, Topology};
/// use snowglobe_model::v6::Nat64Spec;
///
/// let mut topology = Topology::new();
/// let internet = topology.internet();
/// let carrier = topology.router(RouterSpec::new("carrier").nat64(Nat64Spec::new()));
/// topology.uplink(carrier, internet);
/// let phone = topology.node("phone");
/// topology.link_with(phone, carrier, LinkSpec::new().families(Families::V6));
/// topology.validate()?;
/// # Ok::<(), snowglobe_model::topology::TopologyError>(())
/// ```
///
/// In TOML: `nat64 = {}`, or `nat64 = { prefix = "2001:db8:64::/96" }`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nat64Spec {
    /// The prefix, of 32, 40, 48, 56, 64 or 96 bits. The well-known one, `64:ff9b::/96`, leads to
    /// public IPv4 addresses only (RFC 6052, section 3.1); private ones are reached by any other.
    pub prefix: String,
    /// The network of IPv4 addresses that stand for hosts of IPv6 within the router. Nobody else
    /// sees them.
    pub pool: String,
}

impl Default for Nat64Spec {
    fn default() -> Self {
        Self {
            prefix: EmbeddingPrefix::WELL_KNOWN.to_string(),
            pool: POOL.into(),
        }
    }
}

/// A part of the range for benchmarks of devices (RFC 2544), which no network of users has.
const POOL: &str = "198.18.64.0/18";

impl Nat64Spec {
    /// Returns a NAT64 with the well-known prefix.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the prefix.
    pub fn prefix(mut self, prefix: impl ToString) -> Self {
        self.prefix = prefix.to_string();
        self
    }

    /// Sets the network of IPv4 addresses that stand for hosts of IPv6.
    pub fn pool(mut self, pool: impl ToString) -> Self {
        self.pool = pool.to_string();
        self
    }

    /// Reads the prefix.
    ///
    /// # Errors
    /// The text is no such prefix.
    pub fn parsed_prefix(&self) -> Result<EmbeddingPrefix, PrefixError> {
        self.prefix.parse()
    }

    /// Reads the pool.
    ///
    /// # Errors
    /// The text is no network of IPv4 with room for hosts.
    pub fn parsed_pool(&self) -> Result<Subnet, PrefixError> {
        let pool: Subnet = self.pool.parse()?;
        if pool.is_ipv6() || !(8..=29).contains(&pool.prefix()) {
            return Err(PrefixError::Pool(pool));
        }
        if !pool.is_forwarded() {
            return Err(PrefixError::NotForwarded(pool));
        }
        Ok(pool)
    }
}

/// The client side of 464XLAT (RFC 6877): programs that know IPv4 alone work on a node that has
/// IPv6 alone, and hosts of IPv4 behind a router whose uplink has IPv6 alone.
///
/// The node has a further interface, `clat`, with an IPv4 address (192.0.0.4, of the range of RFC
/// 7335) and a default route of last resort. What leaves by it becomes IPv6, and goes to the NAT64
/// from the node's own IPv6 address.
///
/// ```
/// use snowglobe_model::topology::NodeSpec;
/// use snowglobe_model::v6::ClatSpec;
///
/// let phone = NodeSpec::new("phone").clat(ClatSpec::new());
/// # drop(phone);
/// ```
///
/// In TOML: `clat = {}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClatSpec {
    /// The prefix of the NAT64 that the packets go to.
    pub prefix: String,
}

impl Default for ClatSpec {
    fn default() -> Self {
        Self {
            prefix: EmbeddingPrefix::WELL_KNOWN.to_string(),
        }
    }
}

impl ClatSpec {
    /// The IPv4 address of the interface.
    pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 4);

    /// The prefix that IPv4 addresses of this side have between the interface and the uplink, where
    /// the node's own address takes its place: a random one of RFC 4193, which is seen nowhere.
    pub const LOCAL: EmbeddingPrefix = EmbeddingPrefix::new_const(0xfd8a_70c1_64e4_0464 << 64, 96);

    /// Returns a client of the NAT64 with the well-known prefix.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the prefix of the NAT64.
    pub fn prefix(mut self, prefix: impl ToString) -> Self {
        self.prefix = prefix.to_string();
        self
    }

    /// Reads the prefix.
    ///
    /// # Errors
    /// The text is no such prefix.
    pub fn parsed_prefix(&self) -> Result<EmbeddingPrefix, PrefixError> {
        self.prefix.parse()
    }
}
