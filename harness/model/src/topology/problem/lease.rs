//! Servers of DHCP, of either family, that have nothing to give, and clients without a server.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::kind::{NounProblem, TopologyErrorKind};
use super::part::NamedPart;
use crate::dhcp::error::PoolError;
use crate::packet::ip::IpVersion;
use crate::topology::name::show;

/// A mistake in a server or a client of DHCP. The version tells DHCP from DHCPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LeaseProblem {
    /// The time of a lease is zero, too long for the protocol, or not in whole seconds.
    Lease {
        version: IpVersion,
        server: NamedPart,
        lease: Duration,
    },
    /// The time of a renewal is zero, not in whole seconds, or not before the end of the lease.
    Renewal {
        version: IpVersion,
        server: NamedPart,
        lease: Duration,
        after: Duration,
    },
    Pool {
        version: IpVersion,
        server: NamedPart,
        pool: String,
        wrong: PoolError,
    },
    /// None of the addresses of the pool is free on a network of the server.
    PoolTaken {
        version: IpVersion,
        server: NamedPart,
        pool: String,
    },
    /// A server without a pool has no network with an address to give.
    NothingToGive {
        version: IpVersion,
        server: NamedPart,
    },
    /// A client asks for an address on a network without a server.
    NoServer { node: NamedPart, interface: String },
}

impl LeaseProblem {
    /// Returns the problem of a server that has nothing to give, with its pool or without one.
    pub(crate) fn nothing_to_give(
        version: IpVersion,
        server: NamedPart,
        pool: Option<&str>,
    ) -> Self {
        match pool {
            Some(pool) => Self::PoolTaken {
                version,
                server,
                pool: pool.to_owned(),
            },
            None => Self::NothingToGive { version, server },
        }
    }
}

impl NounProblem for LeaseProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::Lease { .. }
            | Self::Renewal { .. }
            | Self::Pool { .. }
            | Self::PoolTaken { .. }
            | Self::NothingToGive { .. } => TopologyErrorKind::Invalid,
            Self::NoServer { .. } => TopologyErrorKind::Missing,
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Pool { wrong, .. } => Some(wrong),
            Self::Lease { .. }
            | Self::Renewal { .. }
            | Self::PoolTaken { .. }
            | Self::NothingToGive { .. }
            | Self::NoServer { .. } => None,
        }
    }
}

/// Returns the name of the protocol that gives addresses of a family.
fn protocol(version: IpVersion) -> &'static str {
    match version {
        IpVersion::V4 => "DHCP",
        IpVersion::V6 => "DHCPv6",
    }
}

impl fmt::Display for LeaseProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease {
                version,
                server,
                lease,
            } => write!(
                f,
                "the {} server of {server} gives leases of {lease:?}; a lease is whole seconds, at \
                 least one",
                protocol(*version)
            ),
            Self::Renewal {
                version,
                server,
                lease,
                after,
            } => write!(
                f,
                "the {} server of {server} has leases of {lease:?} renewed after {after:?}; take \
                 whole seconds, fewer than the lease has",
                protocol(*version)
            ),
            Self::Pool {
                version,
                server,
                pool,
                wrong,
            } => write!(
                f,
                "the pool {} of the {} server of {server} {wrong}",
                show(pool),
                protocol(*version)
            ),
            Self::PoolTaken {
                version,
                server,
                pool,
            } => write!(
                f,
                "the pool {} of the {} server of {server} has no free address on any of its \
                 networks; take a range of one of the networks",
                show(pool),
                protocol(*version)
            ),
            Self::NothingToGive {
                version: IpVersion::V4,
                server,
            } => write!(
                f,
                "{server} has a DHCP server, and no network with a free IPv4 address; give a \
                 network of the server a subnet of IPv4 with room"
            ),
            Self::NothingToGive {
                version: IpVersion::V6,
                server,
            } => write!(
                f,
                "{server} has a DHCPv6 server, and no network of IPv6 behind it; add a link with \
                 IPv6"
            ),
            Self::NoServer { node, interface } => write!(
                f,
                "interface {interface} of {node} asks for an address by DHCP, and there is no \
                 server on its network; give a node there one by `NodeSpec::dhcp`"
            ),
        }
    }
}
