//! Mistakes in translations of IPv6, and between IPv6 and IPv4.

use std::error::Error;
use std::fmt;

use super::kind::{NounProblem, TopologyErrorKind};
use super::part::NamedPart;
use crate::topology::subnet::Subnet;
use crate::v6::{EmbeddingPrefix, PrefixError};

/// A mistake in a translation of IPv6 addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeProblem {
    /// A router translates IPv6 addresses, and has no uplink with IPv6.
    NoUplinkWithIpv6 { router: NamedPart },
    /// A router has prefixes that cannot be exchanged.
    Exchange {
        router: NamedPart,
        wrong: PrefixError,
    },
    /// The prefix that outside sees overlaps a network of the lab.
    OutsideOverlapsNetwork {
        router: NamedPart,
        outside: Subnet,
        network: Subnet,
    },
    /// The prefixes of two routers that outside sees overlap.
    OutsideOverlapsOther {
        router: NamedPart,
        outside: Subnet,
        other: Subnet,
        /// The router that exchanges its prefix for the other one.
        whose: NamedPart,
    },
    /// No network behind the router is part of the prefix that is exchanged.
    NothingInside { router: NamedPart, inside: Subnet },
}

impl NounProblem for ExchangeProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::NoUplinkWithIpv6 { .. } | Self::NothingInside { .. } => {
                TopologyErrorKind::Missing
            }
            Self::Exchange { .. } => TopologyErrorKind::Invalid,
            Self::OutsideOverlapsNetwork { .. } | Self::OutsideOverlapsOther { .. } => {
                TopologyErrorKind::Conflict
            }
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Exchange { wrong, .. } => Some(wrong),
            Self::NoUplinkWithIpv6 { .. }
            | Self::OutsideOverlapsNetwork { .. }
            | Self::OutsideOverlapsOther { .. }
            | Self::NothingInside { .. } => None,
        }
    }
}

impl fmt::Display for ExchangeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUplinkWithIpv6 { router } => write!(
                f,
                "{router} translates IPv6 addresses, and none of its uplinks has one; give an \
                 uplink IPv6, or leave `nat_v6` out"
            ),
            Self::Exchange { router, wrong } => {
                write!(f, "{router} cannot exchange its prefixes of IPv6: {wrong}")
            }
            Self::OutsideOverlapsNetwork {
                router,
                outside,
                network,
            } => write!(
                f,
                "{router} exchanges its prefix for `{outside}`, which overlaps network `{network}` \
                 of the lab; take a prefix that no network has"
            ),
            Self::OutsideOverlapsOther {
                router,
                outside,
                other,
                whose,
            } => write!(
                f,
                "{router} exchanges its prefix for `{outside}`, which overlaps `{other}` of \
                 {whose}; give each router its own"
            ),
            Self::NothingInside { router, inside } => write!(
                f,
                "{router} exchanges the prefix `{inside}`, and has no network behind it that is \
                 part of it; give a link or switch there such a subnet"
            ),
        }
    }
}

/// A mistake in a translation between IPv6 and IPv4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Nat64Problem {
    /// A pod is to have a NAT64, which only a node can have.
    Nat64OfPod {
        router: NamedPart,
    },
    Nat64WithoutNat {
        router: NamedPart,
    },
    /// No uplink of a NAT64 has an IPv4 address.
    Nat64WithoutIpv4 {
        router: NamedPart,
    },
    /// No network behind a NAT64 has IPv6.
    Nat64WithoutIpv6 {
        router: NamedPart,
    },
    Nat64Prefix {
        router: NamedPart,
        wrong: PrefixError,
    },
    Nat64PrefixOverlaps {
        router: NamedPart,
        prefix: EmbeddingPrefix,
        network: Subnet,
    },
    Nat64Pool {
        router: NamedPart,
        wrong: PrefixError,
    },
    Nat64PoolOverlaps {
        router: NamedPart,
        pool: Subnet,
        network: Subnet,
    },
    ClatWithoutIpv6 {
        node: NamedPart,
    },
    ClatPrefix {
        node: NamedPart,
        wrong: PrefixError,
    },
    /// No router has a NAT64 with the prefix of a client of 464XLAT.
    ClatWithoutNat64 {
        node: NamedPart,
        prefix: EmbeddingPrefix,
    },
}

impl NounProblem for Nat64Problem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::Nat64OfPod { .. } => TopologyErrorKind::Misplaced,
            Self::Nat64WithoutNat { .. }
            | Self::Nat64WithoutIpv4 { .. }
            | Self::Nat64WithoutIpv6 { .. }
            | Self::ClatWithoutIpv6 { .. }
            | Self::ClatWithoutNat64 { .. } => TopologyErrorKind::Missing,
            Self::Nat64Prefix { .. } | Self::Nat64Pool { .. } | Self::ClatPrefix { .. } => {
                TopologyErrorKind::Invalid
            }
            Self::Nat64PrefixOverlaps { .. } | Self::Nat64PoolOverlaps { .. } => {
                TopologyErrorKind::Conflict
            }
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Nat64Prefix { wrong, .. } => Some(wrong),
            Self::Nat64Pool { wrong, .. } => Some(wrong),
            Self::ClatPrefix { wrong, .. } => Some(wrong),
            Self::Nat64OfPod { .. }
            | Self::Nat64WithoutNat { .. }
            | Self::Nat64WithoutIpv4 { .. }
            | Self::Nat64WithoutIpv6 { .. }
            | Self::Nat64PrefixOverlaps { .. }
            | Self::Nat64PoolOverlaps { .. }
            | Self::ClatWithoutIpv6 { .. }
            | Self::ClatWithoutNat64 { .. } => None,
        }
    }
}

impl fmt::Display for Nat64Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nat64OfPod { router } => write!(
                f,
                "{router} is to have a NAT64, which only a node can have; make the router a node"
            ),
            Self::Nat64WithoutNat { router } => write!(
                f,
                "{router} has a NAT64 and no NAT of IPv4, which makes one address of many; take \
                 `RouterSpec::nat64`, which gives it one, or `RouterSpec::nat`"
            ),
            Self::Nat64WithoutIpv4 { router } => write!(
                f,
                "{router} has a NAT64, and none of its uplinks has an IPv4 address to which hosts \
                 of IPv6 could be translated; add an uplink with IPv4"
            ),
            Self::Nat64WithoutIpv6 { router } => write!(
                f,
                "{router} has a NAT64, and no network behind it has IPv6; add a link with IPv6"
            ),
            Self::Nat64Prefix { router, wrong } => {
                write!(f, "the NAT64 of {router} cannot have its prefix: {wrong}")
            }
            Self::Nat64PrefixOverlaps {
                router,
                prefix,
                network,
            } => write!(
                f,
                "the prefix `{prefix}` of the NAT64 of {router} overlaps network `{network}` of \
                 the lab; take another"
            ),
            Self::Nat64Pool { router, wrong } => {
                write!(f, "the NAT64 of {router} cannot have its pool: {wrong}")
            }
            Self::Nat64PoolOverlaps {
                router,
                pool,
                network,
            } => write!(
                f,
                "the pool `{pool}` of the NAT64 of {router} overlaps network `{network}` of the \
                 lab; set another with `Nat64Spec::pool`"
            ),
            Self::ClatWithoutIpv6 { node } => write!(
                f,
                "{node} is a client of 464XLAT without an IPv6 address; give it a link with IPv6"
            ),
            Self::ClatPrefix { node, wrong } => write!(
                f,
                "the client of 464XLAT of {node} cannot have its prefix: {wrong}"
            ),
            Self::ClatWithoutNat64 { node, prefix } => write!(
                f,
                "{node} sends what is IPv4 to a NAT64 with prefix `{prefix}`, and no router has \
                 one; add `RouterSpec::nat64`"
            ),
        }
    }
}
