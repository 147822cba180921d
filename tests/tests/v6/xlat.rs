//! 464XLAT: IPv4 over an access that has IPv6 alone.

use std::io::ErrorKind;

use snowglobe::ndp::AdvertiseSpec;
use snowglobe::prelude::*;
use snowglobe::topology::{ClatSpec, Families, Nat64Spec};

use crate::nat64::{Mobile, carrier, mobile};
use crate::traffic::{PATIENCE, bulk, echo, exchange, ping, refused, seen_as};

#[snowglobe::test(fixtures("busybox"))]
fn a_phone_sends_udp_tcp_and_echoes_to_addresses_of_ipv4() -> TestResult {
    let phone = NodeSpec::new("phone").clat(ClatSpec::new());
    let Mobile {
        lab,
        carrier,
        phone,
        server,
    } = mobile(carrier(), phone, LinkSpec::new())?;
    bulk(&lab[server]);
    let to: IpAddr = lab[server].ipv4().ok_or("no IPv4")?.into();
    for bytes in [100, 4000] {
        let seen = seen_as(&lab[phone], to, bytes, PATIENCE).ok_or("no answer")?;
        assert_eq!(Some(seen.ip()), lab[carrier].ipv4().map(IpAddr::from));
    }
    exchange(&lab[phone], to, 500_000)?;
    ping(&lab[phone], to)?;
    assert_eq!(refused(&lab[phone], (to, 9)), ErrorKind::ConnectionRefused);
    // The carrier knows the phone by its own address.
    let own = lab[phone].ipv6().ok_or("no IPv6")?;
    let hosts = lab.nat64(carrier)?.hosts();
    assert_eq!(hosts.iter().map(|it| it.0).collect::<Vec<_>>(), [own]);
    Ok(())
}

#[snowglobe::test]
fn a_home_of_ipv4_works_behind_a_router_whose_uplink_has_ipv6_alone() -> TestResult {
    let prefix = "2001:db8:64::/96";
    let mut topology = Topology::new();
    let internet = topology.internet();
    let carrier = RouterSpec::new("carrier").nat64(Nat64Spec::new().prefix(prefix));
    let carrier = topology.router(carrier);
    topology.uplink(carrier, internet);
    let clat = ClatSpec::new().prefix(prefix);
    let home = topology.router(RouterSpec::new("home").node(|node| node.clat(clat)));
    topology.uplink_with(home, carrier, LinkSpec::new().families(Families::V6));
    let lan = topology.switch(SwitchSpec::new("lan").subnet("192.168.1.0/24"));
    topology.plug(home, lan);
    let laptops = ["laptop1", "laptop2"].map(|name| {
        let laptop = topology.node(name);
        topology.plug(laptop, lan);
        laptop
    });
    let server = topology.node("server");
    topology.link_with(server, internet, LinkSpec::new().families(Families::V4));
    let lab = topology.start()?;
    echo(&lab[server]);
    bulk(&lab[server]);
    let to: IpAddr = lab[server].ipv4().ok_or("no IPv4")?.into();
    let mut ports = Vec::new();
    for laptop in laptops {
        let seen = seen_as(&lab[laptop], to, 100, PATIENCE).ok_or("no answer")?;
        assert_eq!(Some(seen.ip()), lab[carrier].ipv4().map(IpAddr::from));
        ports.push(seen.port());
        exchange(&lab[laptop], to, 300_000)?;
    }
    assert_ne!(ports[0], ports[1]);
    Ok(())
}

#[snowglobe::test]
fn a_phone_with_an_address_of_a_router_advertisement_has_ipv4_too() -> TestResult {
    let carrier = carrier().node(|node| node.advertise(AdvertiseSpec::new()));
    let phone = NodeSpec::new("phone").autoconfigure().clat(ClatSpec::new());
    let Mobile {
        lab,
        carrier,
        phone,
        server,
    } = mobile(carrier, phone, LinkSpec::new())?;
    let to: IpAddr = lab[server].ipv4().ok_or("no IPv4")?.into();
    let seen = seen_as(&lab[phone], to, 100, PATIENCE).ok_or("no answer")?;
    assert_eq!(Some(seen.ip()), lab[carrier].ipv4().map(IpAddr::from));
    Ok(())
}
