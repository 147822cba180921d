//! Mistakes in addresses, subnets and pools.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;

use snowglobe_text::counted;

use super::kind::{NounProblem, TopologyErrorKind};
use super::part::{LinkEnd, NamedPart};
use crate::topology::name::show;
use crate::topology::subnet::{Subnet, SubnetError};

/// A mistake in addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AddressProblem {
    NotASubnet {
        segment: NamedPart,
        wrong: SubnetError,
    },
    UnusableSubnet {
        segment: NamedPart,
        subnet: Subnet,
        mistake: AddressMistake,
    },
    NotAnAddress {
        end: LinkEnd,
        text: String,
    },
    UnusableAddress {
        end: LinkEnd,
        text: String,
        mistake: AddressMistake,
    },
    /// The prefix length of an address differs from that of the subnet of its segment.
    PrefixDiffers {
        end: LinkEnd,
        ip: IpAddr,
        prefix: u8,
        subnet: Subnet,
    },
    SubnetsOverlap {
        segment: NamedPart,
        subnet: Subnet,
        other_segment: NamedPart,
        other: Subnet,
    },
    InNoSubnet {
        end: LinkEnd,
        ip: IpAddr,
    },
    /// No interface of a subnet can have the address: the first one of the subnet, or the one for
    /// broadcast.
    NoInterfaceAddress {
        end: LinkEnd,
        ip: IpAddr,
        subnet: Subnet,
    },
    AddressTaken {
        end: LinkEnd,
        ip: IpAddr,
        by: LinkEnd,
    },
    SubnetTooSmall {
        segment: NamedPart,
        subnet: Subnet,
        plugged: usize,
    },
    Pool {
        mistake: PoolMistake,
    },
    PoolsExhausted {
        segment: NamedPart,
        pools: [Subnet; 2],
        /// The method of a topology that sets the pools.
        setter: &'static str,
    },
}

/// The reason why no interface can have an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressMistake {
    Unspecified,
    Loopback,
    Multicast,
    Reserved,
    MappedIpv4,
    LinkLocal,
}

/// A mistake in a pool from which automatic subnets come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PoolMistake {
    NotASubnet(SubnetError),
    Unusable {
        subnet: Subnet,
        mistake: AddressMistake,
    },
    TooSmall {
        subnet: Subnet,
        /// Prefix length of the blocks that the pool has to hold.
        block: u8,
    },
}

impl NounProblem for AddressProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::NotASubnet { .. }
            | Self::UnusableSubnet { .. }
            | Self::NotAnAddress { .. }
            | Self::UnusableAddress { .. }
            | Self::InNoSubnet { .. }
            | Self::NoInterfaceAddress { .. }
            | Self::Pool { .. } => TopologyErrorKind::Invalid,
            Self::PrefixDiffers { .. }
            | Self::SubnetsOverlap { .. }
            | Self::AddressTaken { .. } => TopologyErrorKind::Conflict,
            Self::SubnetTooSmall { .. } | Self::PoolsExhausted { .. } => {
                TopologyErrorKind::TooLarge
            }
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotASubnet { wrong, .. } => Some(wrong),
            Self::Pool { mistake } => match mistake {
                PoolMistake::NotASubnet(wrong) => Some(wrong),
                PoolMistake::Unusable { .. } | PoolMistake::TooSmall { .. } => None,
            },
            Self::UnusableSubnet { .. }
            | Self::NotAnAddress { .. }
            | Self::UnusableAddress { .. }
            | Self::InNoSubnet { .. }
            | Self::NoInterfaceAddress { .. }
            | Self::PrefixDiffers { .. }
            | Self::SubnetsOverlap { .. }
            | Self::AddressTaken { .. }
            | Self::SubnetTooSmall { .. }
            | Self::PoolsExhausted { .. } => None,
        }
    }
}

impl fmt::Display for AddressProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASubnet { segment, wrong } => write!(f, "subnet of {segment}: {wrong}"),
            Self::UnusableSubnet {
                segment,
                subnet,
                mistake,
            } => write!(
                f,
                "subnet `{subnet}` of {segment} is {mistake}; choose another"
            ),
            Self::NotAnAddress { end, text } => write!(
                f,
                "address at {end}: {} is not an address; write it like `10.9.0.1/24`",
                show(text)
            ),
            Self::UnusableAddress { end, text, mistake } => write!(
                f,
                "address at {end}: {} is {mistake}; choose another",
                show(text)
            ),
            Self::PrefixDiffers {
                end,
                ip,
                prefix,
                subnet,
            } => write!(
                f,
                "address `{ip}/{prefix}` at {end} does not fit subnet `{subnet}` there; write \
                 `{ip}/{}`",
                subnet.prefix()
            ),
            Self::SubnetsOverlap {
                segment,
                subnet,
                other_segment,
                other,
            } => write!(
                f,
                "subnet `{subnet}` of {segment} overlaps `{other}` of {other_segment}; choose \
                 another"
            ),
            Self::InNoSubnet { end, ip } => write!(
                f,
                "address `{ip}` at {end} is in no subnet there; write it like `{ip}/{}`",
                if ip.is_ipv4() { 24 } else { 64 }
            ),
            Self::NoInterfaceAddress { end, ip, subnet } => write!(
                f,
                "address `{ip}` at {end} is one that no interface can have in `{subnet}`; \
                 choose another"
            ),
            Self::AddressTaken { end, ip, by } => write!(
                f,
                "address `{ip}` at {end} is taken at {by} already; choose another"
            ),
            Self::SubnetTooSmall {
                segment,
                subnet,
                plugged,
            } => write!(
                f,
                "subnet `{subnet}` of {segment} has room for {}, but {plugged} are plugged in; \
                 give a larger one",
                counted(subnet.capacity(), "interface")
            ),
            Self::Pool { mistake } => write!(f, "address pool {mistake}"),
            Self::PoolsExhausted {
                segment,
                pools: [v4, v6],
                setter,
            } => write!(
                f,
                "the address pools `{v4}` and `{v6}` are exhausted at {segment}; give larger ones \
                 with `{setter}`"
            ),
        }
    }
}

/// Tells the reason as the rest of a sentence that ends with "the address is" so far.
impl fmt::Display for AddressMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "the unspecified address",
            Self::Loopback => "every node's own loopback",
            Self::Multicast => "for multicast",
            Self::Reserved => "reserved",
            Self::MappedIpv4 => "an IPv4 address in the form of an IPv6 address",
            Self::LinkLocal => "link-local, which every interface has without being asked",
        })
    }
}

/// Tells the mistake as the rest of a sentence that begins with "address pool".
impl fmt::Display for PoolMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASubnet(wrong) => write!(f, "of the topology: {wrong}"),
            Self::Unusable { subnet, mistake } => {
                write!(f, "`{subnet}` is {mistake}; choose another")
            }
            Self::TooSmall { subnet, block } => write!(
                f,
                "`{subnet}` is too small, or of the other family; it must hold a /{block}"
            ),
        }
    }
}
