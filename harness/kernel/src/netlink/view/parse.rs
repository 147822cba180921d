//! Translation from the kernel's messages to the plain values of `view`.
//!
//! An attribute that is too short is left out, as one that the kernel did not send.

use nix::libc;

use super::super::encoding::{self, ip, numbered, u16_at, u32_at, u64_at};
use super::{
    AddressEntry, EntryKind, InterfaceCounters, InterfaceEntry, IpFamily, NeighbourEntry,
    RouteEntry,
};

/// `struct ifinfomsg`: family, type at 2, index at 4, flags at 8, mask at 12.
pub(super) const INTERFACE: EntryKind = EntryKind {
    get: libc::RTM_GETLINK,
    new: libc::RTM_NEWLINK,
    header: 16,
};

/// `struct ifaddrmsg`: family, prefix length, flags, scope, index at 4.
pub(super) const ADDRESS: EntryKind = EntryKind {
    get: libc::RTM_GETADDR,
    new: libc::RTM_NEWADDR,
    header: 8,
};

/// `struct rtmsg`: family, prefix lengths, TOS, table at 4, protocol, scope, type, flags at 8.
pub(super) const ROUTE: EntryKind = EntryKind {
    get: libc::RTM_GETROUTE,
    new: libc::RTM_NEWROUTE,
    header: 12,
};

/// `struct ndmsg`: family, index at 4, state at 8, flags at 10, type at 11.
pub(super) const NEIGHBOUR: EntryKind = EntryKind {
    get: libc::RTM_GETNEIGH,
    new: libc::RTM_NEWNEIGH,
    header: 12,
};

pub(super) fn interface(header: &[u8], attributes: &[u8]) -> Option<InterfaceEntry> {
    const IFLA_STATS64: u16 = 23;
    const IFLA_OPERSTATE: u16 = 16;
    const IFLA_PROP_LIST: u16 = 52;
    let flags = u32_at(header, 8)?;
    let is = |flag: libc::c_int| flags & flag.cast_unsigned() != 0;
    let mut entry = InterfaceEntry {
        index: u32_at(header, 4)?,
        name: String::new(),
        altnames: Vec::new(),
        kind: None,
        mac: None,
        mtu: 0,
        up: is(libc::IFF_UP),
        // IFF_RUNNING follows the operational state, and IFF_LOWER_UP the carrier itself
        // (netdevice(7)).
        carrier: is(libc::IFF_LOWER_UP),
        state: "unknown".to_owned(),
        master: None,
        peer: None,
        traffic: InterfaceCounters::default(),
    };
    for (kind, value) in numbered(attributes) {
        match kind {
            libc::IFLA_IFNAME => entry.name = encoding::text(value),
            // The list has nothing but alternative names so far (`linux/if_link.h`).
            IFLA_PROP_LIST => entry
                .altnames
                .extend(encoding::each(value).map(encoding::text)),
            libc::IFLA_LINKINFO => {
                entry.kind = encoding::find(value, libc::IFLA_INFO_KIND).map(encoding::text);
            }
            libc::IFLA_ADDRESS => entry.mac = Some(mac(value)),
            libc::IFLA_MTU => entry.mtu = u32_at(value, 0).unwrap_or(0),
            IFLA_OPERSTATE => entry.state = operstate(*value.first().unwrap_or(&0)),
            libc::IFLA_MASTER => entry.master = u32_at(value, 0),
            // For veth, `IFLA_LINK` is the other end's index in that end's namespace.
            libc::IFLA_LINK => entry.peer = u32_at(value, 0),
            // The older 32-bit statistics wrap around after 4 GB.
            IFLA_STATS64 => entry.traffic = traffic(value),
            _ => {}
        }
    }
    Some(entry)
}

pub(super) fn address(header: &[u8], attributes: &[u8]) -> Option<AddressEntry> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    const IFA_F_DADFAILED: u8 = 0x08;
    const IFA_F_DEPRECATED: u8 = 0x20;
    const IFA_F_TENTATIVE: u8 = 0x40;
    const IFA_F_PERMANENT: u8 = 0x80;
    let of = |kind| encoding::find(attributes, kind).and_then(ip);
    let [_, prefix, flags, scope, ..] = *header else {
        return None;
    };
    Some(AddressEntry {
        interface: u32_at(header, 4)?,
        // For IPv4, `IFA_ADDRESS` may be the other end's, and `IFA_LOCAL` is the interface's own
        // (rtnetlink(7)). IPv6 has `IFA_LOCAL` for point-to-point links only.
        address: of(IFA_LOCAL).or(of(IFA_ADDRESS))?,
        prefix,
        scope: match scope {
            // The words are those of `ip address`.
            libc::RT_SCOPE_UNIVERSE => "global".to_owned(),
            libc::RT_SCOPE_SITE => "site".to_owned(),
            libc::RT_SCOPE_LINK => "link".to_owned(),
            libc::RT_SCOPE_HOST => "host".to_owned(),
            libc::RT_SCOPE_NOWHERE => "nowhere".to_owned(),
            other => unnamed(other.into()),
        },
        tentative: flags & IFA_F_TENTATIVE != 0,
        duplicate: flags & IFA_F_DADFAILED != 0,
        permanent: flags & IFA_F_PERMANENT != 0,
        deprecated: flags & IFA_F_DEPRECATED != 0,
    })
}

pub(super) fn route(header: &[u8], attributes: &[u8]) -> Option<RouteEntry> {
    let [family, prefix, _, _, table, protocol, _, kind, ..] = *header else {
        return None;
    };
    let mut entry = RouteEntry {
        destination: None,
        prefix,
        // The kernel lists the routes of multicast too, under a family of their own.
        family: IpFamily::of_number(family)?,
        via: None,
        interface: None,
        source: None,
        metric: None,
        table: table.into(),
        kind: named(ROUTE_KINDS, kind.into()),
        protocol: named(ROUTE_PROTOCOLS, protocol.into()),
    };
    for (kind, value) in numbered(attributes) {
        match kind {
            libc::RTA_DST => entry.destination = ip(value),
            libc::RTA_GATEWAY => entry.via = ip(value),
            libc::RTA_PREFSRC => entry.source = ip(value),
            libc::RTA_OIF => entry.interface = u32_at(value, 0),
            libc::RTA_PRIORITY => entry.metric = u32_at(value, 0),
            // The header has one byte for the table; numbers above 255 are in this attribute.
            libc::RTA_TABLE => entry.table = u32_at(value, 0).unwrap_or(entry.table),
            _ => {}
        }
    }
    Some(entry)
}

pub(super) fn neighbour(header: &[u8], attributes: &[u8]) -> Option<NeighbourEntry> {
    let state = u16_at(header, 8)?;
    // The kernel's own entries for broadcast and multicast, which `ip neighbour` hides too.
    if state == libc::NUD_NOARP {
        return None;
    }
    Some(NeighbourEntry {
        interface: u32_at(header, 4)?,
        address: encoding::find(attributes, libc::NDA_DST).and_then(ip),
        mac: encoding::find(attributes, libc::NDA_LLADDR).map(mac),
        state: named(NEIGHBOUR_STATES, state),
    })
}

/// Types of routes (`RTN_*` of `linux/rtnetlink.h`).
const ROUTE_KINDS: &[(u16, &str)] = &[
    (0, "unspec"),
    (1, "unicast"),
    (2, "local"),
    (3, "broadcast"),
    (4, "anycast"),
    (5, "multicast"),
    (6, "blackhole"),
    (7, "unreachable"),
    (8, "prohibit"),
    (9, "throw"),
    (10, "nat"),
    (11, "externalresolve"),
];

/// Origins of routes (`RTPROT_*` of `linux/rtnetlink.h`).
const ROUTE_PROTOCOLS: &[(u16, &str)] = &[
    (0, "unspec"),
    (1, "icmpredirect"),
    (2, "kernel"),
    (3, "boot"),
    (4, "static"),
    (8, "gated"),
    (9, "ra"),
    (10, "mrt"),
    (11, "zebra"),
    (12, "bird"),
    (13, "dnrouted"),
    (14, "xorp"),
    (15, "ntk"),
    (16, "dhcp"),
    (17, "mrouted"),
    (18, "keepalived"),
    (42, "babel"),
    (186, "bgp"),
    (187, "isis"),
    (188, "ospf"),
    (189, "rip"),
    (192, "eigrp"),
];

/// States of neighbours (`NUD_*` of `linux/neighbour.h`).
const NEIGHBOUR_STATES: &[(u16, &str)] = &[
    (0x00, "none"),
    (0x01, "incomplete"),
    (0x02, "reachable"),
    (0x04, "stale"),
    (0x08, "delay"),
    (0x10, "probe"),
    (0x20, "failed"),
    (0x40, "noarp"),
    (0x80, "permanent"),
];

/// Operational states (`IF_OPER_*` of `linux/if.h`).
const OPERATIONAL_STATES: &[(u16, &str)] = &[
    (0, "unknown"),
    (1, "not-present"),
    (2, "down"),
    (3, "lower-layer-down"),
    (4, "testing"),
    (5, "dormant"),
    (6, "up"),
];

fn named(names: &[(u16, &str)], number: u16) -> String {
    let found = names.iter().find(|(it, _)| *it == number);
    found.map_or_else(|| unnamed(number), |(_, name)| (*name).to_owned())
}

fn unnamed(number: u16) -> String {
    format!("other({number})")
}

fn operstate(state: u8) -> String {
    named(OPERATIONAL_STATES, state.into())
}

fn mac(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { ":" });
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// Reads a `struct rtnl_link_stats64`: packets, bytes, errors and drops, each received and sent.
fn traffic(stats: &[u8]) -> InterfaceCounters {
    let of = |place: usize| u64_at(stats, 8 * place).unwrap_or(0);
    InterfaceCounters {
        rx_packets: of(0),
        tx_packets: of(1),
        rx_bytes: of(2),
        tx_bytes: of(3),
        rx_dropped: of(6),
        tx_dropped: of(7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Family of the routes of multicast, which a dump of the routes of all families has too
    /// (`RTNL_FAMILY_IPMR`, include/uapi/linux/rtnetlink.h).
    const IPMR: u8 = 128;

    #[test]
    fn routes_of_other_families_are_left_out() {
        let header = |family: u8| [family, 32, 32, 0, 254, 17, 0, 5, 0, 0, 0, 0];
        let family = |number: libc::c_int| {
            let entry = route(&header(number as u8), &[]);
            entry.map(|entry| entry.family)
        };
        assert_eq!(family(libc::AF_INET), Some(IpFamily::V4));
        assert_eq!(family(libc::AF_INET6), Some(IpFamily::V6));
        assert_eq!(family(IPMR.into()), None);
    }
}
