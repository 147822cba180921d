//! What the servers of both families are told to give: addresses of a range, each for a time.

use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use crate::topology::error::{Problems, Site, TopologyErrorKind as Kind};
use crate::topology::name::show;

/// The least and the longest lease: times are counted in whole seconds, in 32 bits, of which all
/// ones mean "for ever" (RFC 2131, section 3.3; RFC 8415, section 7.7).
const LEASES: std::ops::Range<u64> = 1..u32::MAX as u64;

/// An address that servers give.
pub(crate) trait GivenAddress: FromStr + PartialOrd {
    /// The protocol of the servers.
    const PROTOCOL: &'static str;
    /// The error for a text that is no range of such addresses.
    const NO_RANGE: PoolError;
}

impl GivenAddress for Ipv4Addr {
    const PROTOCOL: &'static str = "DHCP";
    const NO_RANGE: PoolError = PoolError::NoRange;
}

impl GivenAddress for Ipv6Addr {
    const PROTOCOL: &'static str = "DHCPv6";
    const NO_RANGE: PoolError = PoolError::NoRangeOfIpv6;
}

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

/// Reads a pool: its first and its last address.
///
/// # Errors
/// The text is no pool.
pub(crate) fn parse_range<A: GivenAddress>(text: &str) -> Result<[A; 2], PoolError> {
    let (first, last) = text.split_once('-').ok_or(A::NO_RANGE)?;
    let parse = |text: &str| text.trim().parse::<A>().map_err(|_| A::NO_RANGE);
    let (first, last) = (parse(first)?, parse(last)?);
    if first > last {
        return Err(PoolError::Reversed);
    }
    Ok([first, last])
}

/// Returns the seconds of a lease, and those after which a client asks for more: half of them if
/// no time is given for that.
pub(crate) fn seconds(lease: Duration, renew_after: Option<Duration>) -> [u32; 2] {
    // Longer times are refused before they come here.
    let whole = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX - 1);
    [lease, renew_after.unwrap_or(lease / 2)].map(whole)
}

/// What a server gives: the time of a lease, the time after which it is renewed, and the addresses.
pub(crate) struct Given<'a> {
    pub(crate) lease: Duration,
    pub(crate) renew_after: Option<Duration>,
    pub(crate) pool: Option<&'a str>,
}

/// Checks the times and the pool of one server.
pub(crate) fn check<A: GivenAddress>(
    given: &Given<'_>,
    site: Site,
    place: &str,
    problems: &mut Problems,
) {
    let Given {
        lease,
        renew_after,
        pool,
    } = *given;
    let protocol = A::PROTOCOL;
    let possible = |time: &Duration| {
        LEASES.contains(&time.as_secs()) && *time == Duration::from_secs(time.as_secs())
    };
    if !possible(&lease) {
        problems.add(Kind::Invalid, site, || {
            format!("the {protocol} server of {place} gives leases of {lease:?}; a lease is whole seconds, at least one")
        });
    } else if let Some(renew_after) = renew_after
        && (!possible(&renew_after) || renew_after >= lease)
    {
        problems.add(Kind::Invalid, site, || {
            format!("the {protocol} server of {place} has leases of {lease:?} renewed after {renew_after:?}; take whole seconds, fewer than the lease has")
        });
    }
    if let Some(pool) = pool
        && let Err(wrong) = parse_range::<A>(pool)
    {
        problems.add_caused(Kind::Invalid, site, wrong, |wrong| {
            let pool = show(pool);
            format!("the pool {pool} of the {protocol} server of {place} {wrong}")
        });
    }
}
