//! Errors in the pools from which servers of DHCP give addresses.

use std::error::Error;
use std::fmt;

/// The reason why a text is no pool of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolError {
    /// The text is not written as a range of IPv4 addresses is.
    NoRange,
    /// The text is not written as a range of IPv6 addresses is.
    NoRangeOfIpv6,
    /// The last address is below the first.
    Reversed,
}

/// Tells the error as the rest of a sentence that begins with the text.
impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRange => "is no range of addresses; write `10.0.0.100-10.0.0.199`",
            Self::NoRangeOfIpv6 => {
                "is no range of IPv6 addresses; write `2001:db8::100-2001:db8::1ff`"
            }
            Self::Reversed => "ends before it begins; the lower address goes first",
        })
    }
}

impl Error for PoolError {}
