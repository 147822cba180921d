//! Tests of advertisements.

use std::time::Duration;

use super::AdvertiseSpec;
use super::advertisement::{AdvertisedPrefix, Advertisement, is_managed, solicitation};
use super::announcement::announcement;
use crate::topology::{NodeSpec, Topology, TopologyErrorKind};

#[test]
fn an_advertisement_has_the_checksum_and_the_options_of_its_kind() {
    let advertisement = Advertisement {
        mac: [2, 0, 0, 0, 0, 1],
        from: "fe80::1".parse().unwrap(),
        router: 1800,
        managed: false,
        other: true,
        dns: (vec!["fd00::53".parse().unwrap()], 900),
        prefixes: vec![AdvertisedPrefix {
            prefix: "2001:db8:1::/64".parse().unwrap(),
            autonomous: true,
            seconds: [300, 600],
        }],
    };
    let frame = advertisement.frame();
    let headers = etherparse::PacketHeaders::from_ethernet_slice(&frame).unwrap();
    let payload = headers.payload.slice();
    let Some(etherparse::NetHeaders::Ipv6(ip, _)) = &headers.net else {
        panic!("no IPv6: {headers:?}");
    };
    assert_eq!(ip.hop_limit, 255);
    let Some(etherparse::TransportHeader::Icmpv6(icmp)) = &headers.transport else {
        panic!("no ICMPv6: {headers:?}");
    };
    assert!(icmp.icmp_type.type_u8() == 134 && payload.len() >= 8 + 8 + 32);
    // The flag O, and a name server for a quarter of an hour: RFC 8106, section 5.1.
    assert_eq!(frame[14 + 40 + 5], 0x40);
    let (rest, server) = payload.split_at(payload.len() - 16);
    assert!(rest.ends_with(&[25, 3, 0, 0, 0, 0, 3, 132]), "{rest:?}");
    assert_eq!(
        server,
        "fd00::53".parse::<std::net::Ipv6Addr>().unwrap().octets()
    );
    let expected = icmp
        .icmp_type
        .calc_checksum(ip.source, ip.destination, payload);
    assert_eq!(Ok(icmp.checksum), expected.map_err(|_| ()));
    assert_eq!(is_managed(&frame), Some(false));
    let managed = Advertisement {
        managed: true,
        ..advertisement
    };
    assert_eq!(is_managed(&managed.frame()), Some(true));
    let question = solicitation([2, 0, 0, 0, 0, 1], "fe80::1".parse().unwrap());
    assert_eq!(is_managed(&question), None);
    assert_eq!(is_managed(&frame[..60]), None);
}

#[test]
fn wrong_routers_are_refused_before_anything_starts() {
    let refused = |advertise: Option<AdvertiseSpec>| {
        let mut topology = Topology::new();
        let router = match advertise {
            Some(spec) => topology.node(NodeSpec::new("router").advertise(spec)),
            None => topology.node("router"),
        };
        let host = topology.node(NodeSpec::new("host").autoconfigure());
        topology.link(router, host);
        let error = topology.validate().unwrap_err();
        (error.kind(), error.to_string())
    };
    let spec = AdvertiseSpec::new;
    for (advertise, kind, text) in [
        (
            None,
            TopologyErrorKind::Missing,
            "no router advertises one on its network",
        ),
        (
            Some(spec().prefix("2001:db8::/56")),
            TopologyErrorKind::Invalid,
            "is no /64",
        ),
        (
            Some(spec().prefix("10.0.0.0/24")),
            TopologyErrorKind::Invalid,
            "is no /64",
        ),
        (
            Some(spec().prefix("nonsense")),
            TopologyErrorKind::Invalid,
            "nonsense",
        ),
        (
            Some(spec().lifetime(Duration::from_secs(0))),
            TopologyErrorKind::Invalid,
            "a lifetime is 1 to 9000 seconds",
        ),
    ] {
        let (found, said) = refused(advertise);
        assert!(said.contains(text), "{said}");
        assert_eq!(found, kind, "{said}");
    }
}

#[test]
fn an_address_is_announced_to_everybody_by_its_new_host() {
    let mac = [2, 0, 0, 0, 0, 7];
    let arp = announcement(mac, "10.0.0.5".parse().unwrap(), false);
    assert_eq!(arp.len(), 42);
    assert_eq!(arp[..14], [&[0xff; 6], &mac[..], &[8, 6]].concat());
    assert_eq!(arp[20..22], [0, 1], "a request");
    assert_eq!(arp[22..28], mac);
    assert_eq!(
        (&arp[28..32], &arp[38..42]),
        (&[10, 0, 0, 5][..], &[10, 0, 0, 5][..])
    );
    for (is_router, flags) in [(false, 0x20), (true, 0xa0)] {
        let frame = announcement(mac, "fe80::5".parse().unwrap(), is_router);
        let headers = etherparse::PacketHeaders::from_ethernet_slice(&frame).unwrap();
        let Some(etherparse::NetHeaders::Ipv6(ip, _)) = &headers.net else {
            panic!("no IPv6: {headers:?}");
        };
        assert_eq!((ip.hop_limit, ip.source), (255, ip_octets("fe80::5")));
        assert_eq!(ip.destination, ip_octets("ff02::1"));
        let Some(etherparse::TransportHeader::Icmpv6(icmp)) = &headers.transport else {
            panic!("no ICMPv6: {headers:?}");
        };
        let payload = headers.payload.slice();
        let sum = icmp
            .icmp_type
            .calc_checksum(ip.source, ip.destination, payload);
        assert_eq!(icmp.checksum, sum.unwrap());
        assert_eq!((frame[54], frame[58]), (136, flags));
        assert_eq!(frame[62..78], ip_octets("fe80::5"));
        assert_eq!(frame[78..], [&[2, 1], &mac[..]].concat());
    }
}

fn ip_octets(ip: &str) -> [u8; 16] {
    ip.parse::<std::net::Ipv6Addr>().unwrap().octets()
}
