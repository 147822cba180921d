//! Prefixes that cannot be delegated or advertised, and hosts to which nobody advertises one.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use snowglobe_text::counted;

use super::kind::{NounProblem, TopologyErrorKind};
use super::part::NamedPart;
use crate::dhcp6::DelegationError;
use crate::ndp::AdvertisedPrefixError;
use crate::topology::subnet::Subnet;

/// A mistake in the delegation of prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DelegationProblem {
    /// A server cannot delegate its range in prefixes of the length that it is given.
    Delegation {
        server: NamedPart,
        wrong: DelegationError,
    },
    /// The range of a server overlaps a network of the lab.
    OverlapsNetwork {
        server: NamedPart,
        range: Subnet,
        network: Subnet,
    },
    /// The ranges of two servers overlap.
    OverlapsOther {
        server: NamedPart,
        range: Subnet,
        other: Subnet,
        /// The server that delegates parts of the other range.
        whose: NamedPart,
    },
    /// A router has no uplink by which it could ask for a prefix.
    DelegatedWithoutUplink { router: NamedPart },
    /// A router has no network on which it could advertise a prefix.
    DelegatedWithoutNetwork { router: NamedPart },
    /// A router asks for a prefix where no server delegates any.
    NothingDelegated {
        router: NamedPart,
        interface: String,
    },
    /// A router has more networks than its prefix has room for.
    DelegatedTooSmall {
        router: NamedPart,
        server: NamedPart,
        /// Length of the prefixes that the server delegates.
        length: u8,
        /// Number of networks that the router numbers.
        networks: usize,
    },
    /// More routers ask a server for a prefix than its range has room for.
    RangeTooSmall {
        server: NamedPart,
        range: Subnet,
        /// Length of the prefixes that the server delegates.
        length: u8,
        /// Number of routers that ask.
        routers: usize,
    },
}

impl NounProblem for DelegationProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::Delegation { .. } => TopologyErrorKind::Invalid,
            Self::OverlapsNetwork { .. } | Self::OverlapsOther { .. } => {
                TopologyErrorKind::Conflict
            }
            Self::DelegatedWithoutUplink { .. }
            | Self::DelegatedWithoutNetwork { .. }
            | Self::NothingDelegated { .. } => TopologyErrorKind::Missing,
            Self::DelegatedTooSmall { .. } | Self::RangeTooSmall { .. } => {
                TopologyErrorKind::TooLarge
            }
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Delegation { wrong, .. } => Some(wrong),
            Self::OverlapsNetwork { .. }
            | Self::OverlapsOther { .. }
            | Self::DelegatedWithoutUplink { .. }
            | Self::DelegatedWithoutNetwork { .. }
            | Self::NothingDelegated { .. }
            | Self::DelegatedTooSmall { .. }
            | Self::RangeTooSmall { .. } => None,
        }
    }
}

impl fmt::Display for DelegationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delegation { server, wrong } => {
                write!(f, "the DHCPv6 server of {server} {wrong}")
            }
            Self::OverlapsNetwork {
                server,
                range,
                network,
            } => write!(
                f,
                "the DHCPv6 server of {server} delegates parts of `{range}`, which overlaps \
                 network `{network}` of the lab; take a range that no network has"
            ),
            Self::OverlapsOther {
                server,
                range,
                other,
                whose,
            } => write!(
                f,
                "the DHCPv6 server of {server} delegates parts of `{range}`, which overlaps \
                 `{other}` of {whose}; give each server its own"
            ),
            Self::DelegatedWithoutUplink { router } => write!(
                f,
                "{router} advertises the prefix that it is delegated, and has no uplink with IPv6 \
                 by which it could ask for one; add an uplink with IPv6"
            ),
            Self::DelegatedWithoutNetwork { router } => write!(
                f,
                "{router} advertises the prefix that it is delegated, and has no network of IPv6 \
                 behind it; add a link with IPv6"
            ),
            Self::NothingDelegated { router, interface } => write!(
                f,
                "{router} asks for a prefix by its uplink {interface}, and no DHCPv6 server \
                 delegates any there; give the router there one by `NodeSpec::dhcp6` with \
                 `Dhcp6Spec::delegate`"
            ),
            Self::DelegatedTooSmall {
                router,
                server,
                length,
                networks,
            } => write!(
                f,
                "{router} numbers {}, a /64 each, out of the /{length} that {server} delegates to \
                 it, which is too small; delegate a /{} or a shorter prefix",
                counted(*networks as u64, "network"),
                64 - networks.next_power_of_two().trailing_zeros()
            ),
            Self::RangeTooSmall {
                server,
                range,
                length,
                routers,
            } => write!(
                f,
                "the DHCPv6 server of {server} is asked for a prefix by {}, and `{range}` is too \
                 small to delegate a /{length} to each; take a larger range or longer prefixes",
                counted(*routers as u64, "router")
            ),
        }
    }
}

/// A mistake in router advertisements, or a host that gets none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AdvertiseProblem {
    /// Hosts are told to ask for name servers where no server is.
    NoServerOfNames {
        router: NamedPart,
        interface: String,
    },
    /// Hosts are told to ask for addresses where no server gives any.
    NoServerOfAddresses {
        router: NamedPart,
        interface: String,
    },
    /// The time for which a router advertises itself is out of range.
    Lifetime {
        router: NamedPart,
        lifetime: Duration,
        /// The shortest lifetime, in seconds.
        least: u64,
        /// The longest lifetime, in seconds.
        most: u64,
    },
    /// A router is told to advertise a prefix that no router can advertise.
    WrongPrefix {
        router: NamedPart,
        wrong: AdvertisedPrefixError,
    },
    /// A router advertises the prefix that it is delegated, and another one.
    TwoPrefixes { router: NamedPart },
    /// A host makes its address of a router's prefix where no router advertises one.
    NoRouter { node: NamedPart, interface: String },
}

impl NounProblem for AdvertiseProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::NoServerOfNames { .. }
            | Self::NoServerOfAddresses { .. }
            | Self::NoRouter { .. } => TopologyErrorKind::Missing,
            Self::Lifetime { .. } | Self::WrongPrefix { .. } => TopologyErrorKind::Invalid,
            Self::TwoPrefixes { .. } => TopologyErrorKind::Conflict,
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::WrongPrefix { wrong, .. } => Some(wrong),
            Self::NoServerOfNames { .. }
            | Self::NoServerOfAddresses { .. }
            | Self::Lifetime { .. }
            | Self::TwoPrefixes { .. }
            | Self::NoRouter { .. } => None,
        }
    }
}

impl fmt::Display for AdvertiseProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServerOfNames { router, interface } => write!(
                f,
                "{router} tells hosts on {interface} to ask for name servers by DHCPv6, and no \
                 server is there; {DHCP6}"
            ),
            Self::NoServerOfAddresses { router, interface } => write!(
                f,
                "{router} tells hosts on {interface} to get their addresses by DHCPv6, and no \
                 server gives any there; {DHCP6}"
            ),
            Self::Lifetime {
                router,
                lifetime,
                least,
                most,
            } => write!(
                f,
                "{router} advertises itself for {lifetime:?}; a lifetime is {least} to {most} \
                 seconds"
            ),
            Self::WrongPrefix { router, wrong } => {
                write!(f, "{router} advertises a prefix: {wrong}")
            }
            Self::TwoPrefixes { router } => write!(
                f,
                "{router} advertises the prefix that it is delegated, and another one; choose one \
                 of the two"
            ),
            Self::NoRouter { node, interface } => write!(
                f,
                "interface {interface} of {node} makes its address of a router's prefix, and no \
                 router advertises one on its network; give a node there `NodeSpec::advertise`"
            ),
        }
    }
}

/// The way to give a network a DHCPv6 server.
const DHCP6: &str = "give a node there one by `NodeSpec::dhcp6`";
