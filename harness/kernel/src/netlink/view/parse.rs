//! Translation from the packet crate's types to the plain values of `view`.

use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressScope};
use netlink_packet_route::link::{
    LinkAttribute, LinkFlags, LinkInfo, LinkMessage, Prop, State, Stats64,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourState};
use netlink_packet_route::route::{RouteAddress, RouteAttribute};

use super::{AddressEntry, InterfaceCounters, InterfaceEntry, NeighbourEntry, RouteEntry};

pub(super) fn interface(message: RouteNetlinkMessage) -> Option<InterfaceEntry> {
    let RouteNetlinkMessage::NewLink(LinkMessage {
        header, attributes, ..
    }) = message
    else {
        return None;
    };
    let mut entry = InterfaceEntry {
        index: header.index,
        name: String::new(),
        altnames: Vec::new(),
        kind: None,
        mac: None,
        mtu: 0,
        up: header.flags.contains(LinkFlags::Up),
        // IFF_RUNNING follows the operational state, and IFF_LOWER_UP the carrier itself
        // (netdevice(7)).
        carrier: header.flags.contains(LinkFlags::LowerUp),
        state: "unknown".to_owned(),
        master: None,
        peer: None,
        traffic: InterfaceCounters::default(),
    };
    for attribute in attributes {
        match attribute {
            LinkAttribute::IfName(name) => entry.name = name,
            LinkAttribute::PropList(props) => {
                entry
                    .altnames
                    .extend(props.into_iter().filter_map(|prop| match prop {
                        Prop::AltIfName(name) => Some(name),
                        _ => None,
                    }))
            }
            LinkAttribute::LinkInfo(infos) => {
                entry.kind = infos.into_iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                })
            }
            LinkAttribute::Address(bytes) => entry.mac = Some(mac(&bytes)),
            LinkAttribute::Mtu(mtu) => entry.mtu = mtu,
            LinkAttribute::OperState(state) => entry.state = operstate(state),
            LinkAttribute::Controller(master) => entry.master = Some(master),
            // For veth, `IFLA_LINK` is the other end's index in that end's namespace.
            LinkAttribute::Link(peer) => entry.peer = Some(peer),
            // The older 32-bit statistics wrap around after 4 GB.
            LinkAttribute::Stats64(stats) => entry.traffic = traffic(&stats),
            _ => {}
        }
    }
    Some(entry)
}

pub(super) fn address(message: RouteNetlinkMessage) -> Option<AddressEntry> {
    let RouteNetlinkMessage::NewAddress(message) = message else {
        return None;
    };
    let mut address = None;
    let mut local = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(ip) => address = Some(*ip),
            AddressAttribute::Local(ip) => local = Some(*ip),
            _ => {}
        }
    }
    let flags = message.header.flags;
    Some(AddressEntry {
        interface: message.header.index,
        // For IPv4, `IFA_ADDRESS` may be the other end's, and `IFA_LOCAL` is the interface's own
        // (rtnetlink(7)). IPv6 has `IFA_LOCAL` for point-to-point links only.
        address: local.or(address)?,
        prefix: message.header.prefix_len,
        scope: match message.header.scope {
            // As `ip address` writes it.
            AddressScope::Universe => "global".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        },
        tentative: flags.contains(AddressHeaderFlags::Tentative),
        permanent: flags.contains(AddressHeaderFlags::Permanent),
    })
}

pub(super) fn route(message: RouteNetlinkMessage) -> Option<RouteEntry> {
    let RouteNetlinkMessage::NewRoute(message) = message else {
        return None;
    };
    let header = &message.header;
    let mut entry = RouteEntry {
        destination: None,
        prefix: header.destination_prefix_length,
        v6: header.address_family == netlink_packet_route::AddressFamily::Inet6,
        via: None,
        interface: None,
        source: None,
        metric: None,
        table: header.table.into(),
        kind: format!("{:?}", header.kind).to_lowercase(),
        protocol: format!("{:?}", header.protocol).to_lowercase(),
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => entry.destination = ip(address),
            RouteAttribute::Gateway(address) => entry.via = ip(address),
            RouteAttribute::PrefSource(address) => entry.source = ip(address),
            RouteAttribute::Oif(interface) => entry.interface = Some(*interface),
            RouteAttribute::Priority(metric) => entry.metric = Some(*metric),
            // The header has one byte for the table; numbers above 255 are in this attribute.
            RouteAttribute::Table(table) => entry.table = *table,
            _ => {}
        }
    }
    Some(entry)
}

pub(super) fn neighbour(message: RouteNetlinkMessage) -> Option<NeighbourEntry> {
    let RouteNetlinkMessage::NewNeighbour(message) = message else {
        return None;
    };
    // The kernel's own entries for broadcast and multicast, which `ip neighbour` hides too.
    if message.header.state == NeighbourState::Noarp {
        return None;
    }
    let mut entry = NeighbourEntry {
        interface: message.header.ifindex,
        address: None,
        mac: None,
        state: format!("{:?}", message.header.state).to_lowercase(),
    };
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => {
                entry.address = Some((*address).into())
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => {
                entry.address = Some((*address).into())
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => entry.mac = Some(mac(bytes)),
            _ => {}
        }
    }
    Some(entry)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn mac(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(":")
}

fn operstate(state: State) -> String {
    match state {
        // These two names have several words.
        State::NotPresent => "not-present".to_owned(),
        State::LowerLayerDown => "lower-layer-down".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn traffic(stats: &Stats64) -> InterfaceCounters {
    InterfaceCounters {
        rx_packets: stats.rx_packets,
        rx_bytes: stats.rx_bytes,
        rx_dropped: stats.rx_dropped,
        tx_packets: stats.tx_packets,
        tx_bytes: stats.tx_bytes,
        tx_dropped: stats.tx_dropped,
    }
}
