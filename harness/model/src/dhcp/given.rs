//! What the servers of both families are told to give: addresses of a range, each for a time.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use crate::dhcp::error::PoolError;
use crate::packet::ip::IpVersion;
use crate::topology::error::{Problems, Site};
use crate::topology::problem::{LeaseProblem, NamedPart};

/// The least and the longest lease: times are counted in whole seconds, in 32 bits, of which all
/// ones mean "for ever" (RFC 2131, section 3.3; RFC 8415, section 7.7).
const LEASES: std::ops::Range<u64> = 1..u32::MAX as u64;

/// An address that servers give.
pub(crate) trait GivenAddress: FromStr + PartialOrd {
    /// The family of the addresses.
    const VERSION: IpVersion;
    /// The error for a text that is no range of such addresses.
    const NO_RANGE: PoolError;
}

impl GivenAddress for Ipv4Addr {
    const VERSION: IpVersion = IpVersion::V4;
    const NO_RANGE: PoolError = PoolError::NoRange;
}

impl GivenAddress for Ipv6Addr {
    const VERSION: IpVersion = IpVersion::V6;
    const NO_RANGE: PoolError = PoolError::NoRangeOfIpv6;
}

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
    server: &NamedPart,
    problems: &mut Problems,
) {
    let Given {
        lease,
        renew_after,
        pool,
    } = *given;
    let version = A::VERSION;
    let server = || server.clone();
    let possible = |time: &Duration| {
        LEASES.contains(&time.as_secs()) && *time == Duration::from_secs(time.as_secs())
    };
    if !possible(&lease) {
        problems.add(site, || LeaseProblem::Lease {
            version,
            server: server(),
            lease,
        });
    } else if let Some(after) = renew_after
        && (!possible(&after) || after >= lease)
    {
        problems.add(site, || LeaseProblem::Renewal {
            version,
            server: server(),
            lease,
            after,
        });
    }
    if let Some(pool) = pool
        && let Err(wrong) = parse_range::<A>(pool)
    {
        problems.add(site, || LeaseProblem::Pool {
            version,
            server: server(),
            pool: pool.to_owned(),
            wrong,
        });
    }
}
