//! Reasons why a service of a node cannot do what is asked of it. The subject is the node.

use std::error::Error;
use std::fmt;
use std::net::Ipv4Addr;

use crate::lab::error_kind::LabErrorKind;
use crate::lab::unfit::kind::UnfitSubject;
use crate::model::dns::{DnsFault, DnsFaultError};
use crate::model::ndp::AdvertisedPrefixError;

/// The reason why a service of a node cannot do what is asked of it.
#[derive(Debug)]
pub(crate) enum UnfitService {
    /// The node has no name server.
    NoNameServer,
    /// The fault of a name server has a value without a meaning.
    InvalidAnswers {
        fault: DnsFault,
        wrong: DnsFaultError,
    },
    /// The DHCP server would have no address to give, or no time for it.
    NothingToLease,
    /// The node has no DHCPv6 server.
    NoDhcp6,
    /// The router would advertise no prefix.
    NoPrefix,
    /// The router would advertise a prefix that hosts cannot use.
    UnusablePrefix(AdvertisedPrefixError),
    /// A DHCPv6 server decides the prefix of the router.
    DelegatedPrefix,
    /// The router translates no addresses of IPv4.
    NoNat,
    /// The router translates no addresses of IPv6.
    NoNatV6,
    /// The router has no NAT64.
    NoNat64,
    /// The kernel carries the NAT, and cannot do this: a verb with its object.
    NatOfKernel { what: &'static str },
    /// No uplink has a subnet with the address.
    AddressOfNoUplink(Ipv4Addr),
}

impl UnfitSubject for UnfitService {
    fn kind(&self) -> LabErrorKind {
        match self {
            Self::NoNameServer
            | Self::InvalidAnswers { .. }
            | Self::NothingToLease
            | Self::NoDhcp6
            | Self::NoPrefix
            | Self::UnusablePrefix(_)
            | Self::DelegatedPrefix
            | Self::AddressOfNoUplink(_) => LabErrorKind::InvalidArgument,
            Self::NoNat | Self::NoNatV6 | Self::NoNat64 => LabErrorKind::Other,
            // The userspace engine of the NAT can do it.
            Self::NatOfKernel { .. } => LabErrorKind::NotSupported,
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InvalidAnswers { wrong, .. } => Some(wrong),
            Self::UnusablePrefix(wrong) => Some(wrong),
            Self::NoNameServer
            | Self::NothingToLease
            | Self::NoDhcp6
            | Self::NoPrefix
            | Self::DelegatedPrefix
            | Self::NoNat
            | Self::NoNatV6
            | Self::NoNat64
            | Self::NatOfKernel { .. }
            | Self::AddressOfNoUplink(_) => None,
        }
    }
}

impl fmt::Display for UnfitService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNameServer => f.write_str("has no name server; ask for one by `NodeSpec::dns`"),
            Self::InvalidAnswers { fault, wrong } => write!(
                f,
                "has a name server that cannot have the fault `{fault}`: {wrong}"
            ),
            Self::NothingToLease => f.write_str(
                "has a DHCP server that would have nothing to give: its pool has no free address \
                 on a network of the node, or its leases no time",
            ),
            Self::NoDhcp6 => f.write_str(
                "has no DHCPv6 server, and gets none while it runs; give it one by \
                 `NodeSpec::dhcp6` before the lab starts",
            ),
            Self::NoPrefix => {
                f.write_str("advertises a prefix that hosts cannot use: there is none")
            }
            Self::UnusablePrefix(wrong) => {
                write!(f, "advertises a prefix that hosts cannot use: {wrong}")
            }
            Self::DelegatedPrefix => f.write_str(
                "advertises the prefix that it is delegated, or is to; change the server that \
                 delegates it, by `Lab::set_dhcp6`",
            ),
            Self::NoNat => f.write_str("translates no addresses; take `RouterSpec::nat`"),
            Self::NoNatV6 => f.write_str("translates no IPv6 addresses; take `RouterSpec::nat_v6`"),
            Self::NoNat64 => f.write_str("has no NAT64; take `RouterSpec::nat64`"),
            Self::NatOfKernel { what } => write!(
                f,
                "cannot {what}: nftables carries its NAT; ask for `engine: \
                 NatEngine::Userspace` in its `NatSpec`"
            ),
            Self::AddressOfNoUplink(address) => write!(
                f,
                "cannot rebind its NAT to {address}, which is in no subnet of an uplink: nobody \
                 would find it there; take an address of the uplink's network"
            ),
        }
    }
}
