//! The groups whose members may open an ICMP socket of the ordinary kind (`icmp(7)`,
//! `ping_group_range`).
//!
//! A program pings without privileges by `socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)`. A new network
//! namespace permits that to nobody, whatever the host permits (`net/ipv4/af_inet.c`,
//! `inet_init_net`).

use nix::errno::Errno;

use super::sysctls;
use crate::fixed_str::FixedStr;
use crate::id_map;

/// The sysctl that names the groups.
const PING_GROUP_RANGE: &str = "net/ipv4/ping_group_range";

/// Groups to which ICMP sockets can be permitted in a user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingGroups {
    /// Groups from 0 to 65,535.
    Usual,
    /// Group 0.
    First,
}

impl PingGroups {
    /// Permits ICMP sockets to these groups, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// The kernel refused to write the setting: `EINVAL` if a group is not mapped.
    pub fn permit(self) -> crate::Result<()> {
        let range = match self {
            Self::Usual => "0 65535",
            Self::First => "0 0",
        };
        sysctls::write(PING_GROUP_RANGE, range)
    }
}

/// Permits ICMP sockets to all groups of this user namespace, in the network namespace of the
/// calling thread. Returns the groups, which are the same in every user namespace that has the same
/// mapping.
///
/// # Errors
/// The kernel refused to write the setting.
pub fn permit_all() -> crate::Result<PingGroups> {
    // Groups that are not mapped cannot be named (EINVAL). As root, and with a range of subordinate
    // ids, at least these are mapped; an ordinary user without a range has one.
    let usual = match PingGroups::Usual.permit() {
        // The kernel compares the groups as the machine numbers them. A range whose end is the
        // lower number there becomes an empty one, without an error
        // (net/ipv4/sysctl_net_ipv4.c, ipv4_ping_group_range).
        Ok(()) => sysctls::read(PING_GROUP_RANGE)
            .map_err(|error| crate::errno::errno(&error))?
            .starts_with("0\t"),
        Err(Errno::EINVAL) => false,
        Err(errno) => return Err(errno),
    };
    if usual {
        return Ok(PingGroups::Usual);
    }
    PingGroups::First.permit()?;
    Ok(PingGroups::First)
}

/// Writes a range that names groups which may not be mapped: those that are mapped get the
/// permission.
///
/// # Errors
/// `range` is no range of groups, or none of its groups is mapped.
pub fn permit(range: &str) -> crate::Result<()> {
    let mut ends = range.split_whitespace().map(str::parse::<u32>);
    let (Some(Ok(first)), Some(Ok(last)), None) = (ends.next(), ends.next(), ends.next()) else {
        return Err(Errno::EINVAL);
    };
    let mapped = id_map::own_groups().map_err(|error| crate::errno::errno(&error))?;
    let last = last.min(mapped.saturating_sub(1));
    if first > last {
        return Err(Errno::EINVAL);
    }
    let range = FixedStr::<32>::of(format_args!("{first} {last}"));
    sysctls::write(PING_GROUP_RANGE, &range)
}
