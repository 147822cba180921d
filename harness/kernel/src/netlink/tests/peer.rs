//! Our messages, compared with those of the crate `netlink-packet-route`, which other projects use.

use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressScope};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoBridge, InfoData, InfoKind, InfoVeth,
    LinkAttribute, LinkFlags, LinkInfo, LinkMessage, Prop,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteProtocol, RouteScope, RouteType,
};

use super::super::encoding;
use super::*;

/// Returns the requests of a batch as the other crate reads them.
fn read(batch: &Batch) -> Vec<RouteNetlinkMessage> {
    let bytes = batch.slice(&(0..batch.len()));
    encoding::messages(bytes)
        .map(|message| {
            let mut header = NetlinkHeader::default();
            // The crate writes requests about properties, and does not read them.
            header.message_type = match message.kind {
                108 => libc::RTM_NEWLINK,
                109 => libc::RTM_DELLINK,
                kind => kind,
            };
            RouteNetlinkMessage::deserialize(&header, message.payload).expect("a known message")
        })
        .collect()
}

fn links(batch: &Batch) -> Vec<LinkMessage> {
    let link = |message| match message {
        RouteNetlinkMessage::NewLink(it) | RouteNetlinkMessage::DelLink(it) => it,
        other => panic!("{other:?}"),
    };
    read(batch).into_iter().map(link).collect()
}

fn name(text: &str) -> LinkAttribute {
    LinkAttribute::IfName(text.to_owned())
}

#[test]
fn the_crate_reads_our_cables() {
    // Any will do, and an ordinary user can make none.
    let netns = Netns::current().unwrap();
    let mut batch = Batch::new();
    let far = VethEnd {
        mac: Some([2, 0, 0, 0, 0, 2]),
        mtu: Some(1400),
        netns: Some(netns.as_fd()),
        ..VethEnd::new(ETH0)
    };
    let near = VethEnd {
        master: Some(7),
        ..VethEnd::new(ports()[0])
    };
    batch.add_veth(&Veth { near, far });
    batch.relocate(ETH0, &far);
    let [cable, taken_down, moved] = &links(&batch)[..] else {
        panic!("three requests");
    };
    use std::os::fd::AsRawFd;
    let fd = netns.as_fd().as_raw_fd();
    let queues = [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)];
    let mac = LinkAttribute::Address(vec![2, 0, 0, 0, 0, 2]);
    assert_eq!(cable.header.index, 10);
    assert_eq!(cable.attributes[0], name("p1"));
    assert_eq!(cable.attributes[1..3], queues);
    assert_eq!(cable.attributes[3], LinkAttribute::Controller(7));
    let LinkAttribute::LinkInfo(info) = &cable.attributes[4] else {
        panic!("{cable:?}");
    };
    assert_eq!(info[0], LinkInfo::Kind(InfoKind::Veth));
    let LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))) = &info[1] else {
        panic!("{info:?}");
    };
    assert_eq!(peer.header.index, 2);
    assert_eq!(peer.attributes[0], name("eth0"));
    assert_eq!(peer.attributes[1..3], queues);
    let end = [
        mac.clone(),
        LinkAttribute::Mtu(1400),
        LinkAttribute::NetNsFd(fd),
    ];
    assert_eq!(peer.attributes[3..], end);
    let mask = LinkFlags::Up | LinkFlags::Promisc | LinkFlags::Allmulti | LinkFlags::Noarp;
    assert_eq!(
        (taken_down.header.flags, taken_down.header.change_mask),
        (LinkFlags::empty(), mask)
    );
    let asked = [
        name("eth0"),
        LinkAttribute::NewIfIndex(2),
        LinkAttribute::NetNsFd(fd),
        mac,
        LinkAttribute::Mtu(1400),
        LinkAttribute::TxQueueLen(1000),
        LinkAttribute::Group(0),
        LinkAttribute::IfAlias(String::new()),
        LinkAttribute::GsoMaxSize(65_536),
        LinkAttribute::GroMaxSize(65_536),
    ];
    assert_eq!(moved.attributes, asked);
}

#[test]
fn the_crate_reads_our_changes_of_links() {
    let mut batch = Batch::new();
    batch.disable_address_generation(ETH0);
    batch.set_up(ETH0);
    batch.set_down(ETH0);
    batch.set_carrier(ETH0, true);
    batch.set_master(ETH0, Some(9));
    batch.set_mtu(ETH0, 1300);
    batch.set_gso_max_segments(ETH0, 1);
    batch.set_mac(ETH0, [2, 3, 4, 5, 6, 7]);
    batch.add_altname(ETH0, "uplink-of-the-whole-laboratory");
    batch.delete_altname(ETH0, "uplink");
    batch.delete_link(ETH0);
    let all = links(&batch);
    assert!(all.iter().all(|message| message.header.index == 2));
    let flags = |at: usize| (all[at].header.flags, all[at].header.change_mask);
    assert_eq!(flags(1), (LinkFlags::Up, LinkFlags::Up));
    assert_eq!(flags(2), (LinkFlags::empty(), LinkFlags::Up));
    let prop = |text: &str| LinkAttribute::PropList(vec![Prop::AltIfName(text.to_owned())]);
    let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    let asked: [&[LinkAttribute]; 11] = [
        &[LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(
            vec![mode],
        )])],
        &[],
        &[],
        &[LinkAttribute::Carrier(1)],
        &[LinkAttribute::Controller(9)],
        &[LinkAttribute::Mtu(1300)],
        &[LinkAttribute::GsoMaxSegs(1)],
        &[LinkAttribute::Address(vec![2, 3, 4, 5, 6, 7])],
        &[prop("uplink-of-the-whole-laboratory")],
        &[prop("uplink")],
        &[],
    ];
    for (message, asked) in all.iter().zip(asked) {
        assert_eq!(message.attributes, asked);
    }
}

#[test]
fn the_crate_reads_our_bridges() {
    let mut batch = Batch::new();
    batch.add_repeater(BRIDGE.device);
    batch.add_bridge(&BRIDGE);
    let settings = |message: &RouteNetlinkMessage| {
        let RouteNetlinkMessage::NewLink(link) = message else {
            panic!("{message:?}");
        };
        let found = link
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::LinkInfo(info) => match &info[..] {
                    [
                        LinkInfo::Kind(InfoKind::Bridge),
                        LinkInfo::Data(InfoData::Bridge(data)),
                    ] => Some(data.clone()),
                    other => panic!("{other:?}"),
                },
                _ => None,
            });
        found.expect("settings of a bridge")
    };
    let all = read(&batch);
    let repeater = [
        InfoBridge::MulticastSnooping(false),
        InfoBridge::AgeingTime(0),
        InfoBridge::GroupFwdMask(0xfff8),
    ];
    assert_eq!(settings(&all[0]), repeater);
    let never = 100_000_000;
    let bridge = [
        InfoBridge::MulticastSnooping(false),
        InfoBridge::MulticastIgmpVersion(3),
        InfoBridge::MulticastMldVersion(1),
        InfoBridge::MulticastStartupQueryCount(0),
        InfoBridge::MulticastMembershipInterval(never),
        InfoBridge::MulticastQuerierInterval(never),
        InfoBridge::MulticastQueryInterval(never),
        InfoBridge::MulticastQueryResponseInterval(0),
    ];
    assert_eq!(settings(&all[2]), bridge);
    let mut batch = Batch::new();
    batch.start_bridge(&BRIDGE);
    let started = [
        InfoBridge::MulticastQuerier(true),
        InfoBridge::MulticastSnooping(true),
    ];
    assert_eq!(settings(&read(&batch)[1]), started);
}

#[test]
fn the_crate_reads_our_addresses() {
    let mut batch = Batch::new();
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    for (address, prefix) in [
        (v4(1), 24),
        (loopback, 32),
        (v6(1).into(), 64),
        (link_local(1).into(), 64),
    ] {
        batch.add_address(ETH0, address, prefix);
    }
    batch.delete_address(ETH0, v4(1), 24);
    let nodad = AddressHeaderFlags::Nodad;
    let plain = AddressHeaderFlags::empty();
    let both = |address| {
        vec![
            AddressAttribute::Address(address),
            AddressAttribute::Local(address),
        ]
    };
    let broadcast = AddressAttribute::Broadcast(Ipv4Addr::new(10, 0, 0, 255));
    let of_v4 = [both(v4(1)), vec![broadcast]].concat();
    let asked = [
        (24, plain, AddressScope::Universe, of_v4.clone()),
        (32, plain, AddressScope::Host, both(loopback)),
        (
            64,
            nodad,
            AddressScope::Universe,
            vec![AddressAttribute::Address(v6(1).into())],
        ),
        (
            64,
            nodad,
            AddressScope::Link,
            vec![AddressAttribute::Address(link_local(1).into())],
        ),
        (24, plain, AddressScope::Universe, of_v4),
    ];
    let all = read(&batch);
    assert!(matches!(all[4], RouteNetlinkMessage::DelAddress(_)));
    for (message, (prefix, flags, scope, attributes)) in all.into_iter().zip(asked) {
        let (RouteNetlinkMessage::NewAddress(it) | RouteNetlinkMessage::DelAddress(it)) = message
        else {
            panic!("{message:?}");
        };
        let header = &it.header;
        assert_eq!((header.index, header.prefix_len), (2, prefix));
        assert_eq!((header.flags, header.scope), (flags, scope));
        assert_eq!(it.attributes, attributes);
    }
}

#[test]
fn the_crate_reads_our_routes_and_neighbours() {
    let mut batch = Batch::new();
    let near = RouteRequest {
        destination: v4(0),
        prefix: 24,
        via: None,
        metric: Some(7),
        table: None,
        ..default_via(v4(1))
    };
    batch.add_route(&default_via(v4(1)));
    batch.add_route(&near);
    batch.delete_route(&default_via(v6(1).into()));
    let neighbour = NeighbourRequest {
        address: v6(2).into(),
        mac: [2, 0, 0, 0, 0, 9],
        device: ETH0,
    };
    batch.add_neighbour(&neighbour);
    let oif = RouteAttribute::Oif(2);
    let via = |address| RouteAttribute::Gateway(RouteAddress::from(address));
    let to = |address| RouteAttribute::Destination(RouteAddress::from(address));
    let metric = RouteAttribute::Priority(7);
    let asked = [
        (0, RouteScope::Universe, vec![via(v4(1)), oif.clone()]),
        (24, RouteScope::Link, vec![to(v4(0)), oif.clone(), metric]),
        (0, RouteScope::Universe, vec![via(v6(1).into()), oif]),
    ];
    let mut all = read(&batch);
    let last = all.pop();
    for (message, (prefix, scope, attributes)) in all.into_iter().zip(asked) {
        let (RouteNetlinkMessage::NewRoute(it) | RouteNetlinkMessage::DelRoute(it)) = message
        else {
            panic!("{message:?}");
        };
        let header = &it.header;
        assert_eq!(
            (header.destination_prefix_length, header.scope),
            (prefix, scope)
        );
        assert_eq!(header.table, RouteHeader::RT_TABLE_MAIN);
        assert_eq!(
            (header.protocol, header.kind),
            (RouteProtocol::Static, RouteType::Unicast)
        );
        assert_eq!(it.attributes, attributes);
    }
    let Some(RouteNetlinkMessage::NewNeighbour(it)) = last else {
        panic!("{last:?}");
    };
    let header = &it.header;
    assert_eq!(
        (header.ifindex, header.state),
        (2, NeighbourState::Reachable)
    );
    assert_eq!(header.flags, NeighbourFlags::ExtLearned);
    let asked = [
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6(2))),
        NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 9]),
    ];
    assert_eq!(it.attributes, asked);
}

#[test]
fn damaged_attributes_are_left_out() {
    let whole = encoding::Attributes::new()
        .text(3, "eth0")
        .number(4, 1400)
        .text(77, "unknown");
    for length in 0..whole.0.len() {
        let found = encoding::find(&whole.0[..length], 4);
        assert_eq!(found.is_some(), length >= 20, "{length} bytes");
    }
    // A length below that of the header, and one beyond the end.
    for length in [0u16, 3, 40] {
        let mut damaged = whole.0.clone();
        damaged[..2].copy_from_slice(&length.to_ne_bytes());
        assert_eq!(encoding::find(&damaged, 4), None);
        assert_eq!(encoding::each(&damaged).count(), 0);
    }
}
