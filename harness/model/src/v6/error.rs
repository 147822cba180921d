//! Errors about the prefixes and pools of translations of IPv6.

use std::error::Error;
use std::fmt;

use crate::topology::{Subnet, SubnetError};

/// The longest prefix that is exchanged: the rest of an address is the number of an interface (RFC
/// 6296, section 3.3).
pub(super) const LONGEST: u8 = 64;

/// The reason why prefixes or a pool cannot serve a translation of IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// A text is no subnet.
    Malformed(SubnetError),
    /// A prefix that is to be exchanged is not one of IPv6.
    NotIpv6(Subnet),
    /// A prefix that is to be exchanged is too long, or has no bit.
    ExchangedLength(Subnet),
    /// The prefixes inside and outside do not have the same length.
    LengthsDiffer {
        /// The prefix behind the router.
        inside: Subnet,
        /// The prefix in front of the router.
        outside: Subnet,
    },
    /// The prefixes inside and outside have addresses in common.
    Overlap(Subnet),
    /// A prefix has no length that leaves room for an IPv4 address.
    EmbeddingLength(Subnet),
    /// A prefix has ones where addresses with an IPv4 address have zeros.
    ReservedBits(Subnet),
    /// No router forwards packets to the addresses of a prefix or pool.
    NotForwarded(Subnet),
    /// A pool of IPv4 addresses is of IPv6, or too small or too large.
    Pool(Subnet),
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(source) => source.fmt(f),
            Self::NotIpv6(prefix) => write!(f, "`{prefix}` is no prefix of IPv6"),
            Self::ExchangedLength(prefix) => write!(
                f,
                "`{prefix}` has {} bits; a prefix that is exchanged has 1 to {LONGEST} (RFC 6296, section 3.3)",
                prefix.prefix()
            ),
            Self::LengthsDiffer { inside, outside } => write!(
                f,
                "`{inside}` and `{outside}` differ in length; give both prefixes the same one"
            ),
            Self::NotForwarded(prefix) => write!(
                f,
                "no router forwards packets to `{prefix}`; take addresses that are neither of groups nor of one link or host"
            ),
            Self::Overlap(inside) => write!(f, "`{inside}` would be exchanged for itself"),
            Self::EmbeddingLength(prefix) => write!(
                f,
                "`{prefix}` is no prefix for IPv4 addresses; its length has to be 32, 40, 48, 56, 64 or 96 bits (RFC 6052, section 2.2)"
            ),
            Self::ReservedBits(prefix) => write!(
                f,
                "`{prefix}` has ones in bits 64 to 71, which have to be zero (RFC 6052, section 2.2)"
            ),
            Self::Pool(pool) => write!(
                f,
                "`{pool}` is no network of IPv4 with a prefix of 8 to 29 bits"
            ),
        }
    }
}

impl Error for PrefixError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Malformed(source) => Some(source),
            Self::NotIpv6(_)
            | Self::ExchangedLength(_)
            | Self::LengthsDiffer { .. }
            | Self::Overlap(_)
            | Self::EmbeddingLength(_)
            | Self::ReservedBits(_)
            | Self::NotForwarded(_)
            | Self::Pool(_) => None,
        }
    }
}

impl From<SubnetError> for PrefixError {
    fn from(source: SubnetError) -> Self {
        Self::Malformed(source)
    }
}
