//! Routers that exchange prefixes (NPTv6) or hide hosts behind one address (masquerade).

use std::io::ErrorKind;

use snowglobe::prelude::*;
use snowglobe::topology::nat::NatEngine;
use snowglobe::topology::{NodeId, PrefixTranslation, V6Nat};

use crate::traffic::{IMPATIENCE, PATIENCE, bulk, echo, exchange, ping, refused, seen_as};

/// A host behind a router, and a server on the Internet.
struct Site {
    lab: Lab,
    router: NodeId,
    desk: NodeId,
    server: NodeId,
}

const INSIDE: &str = "fd01:203:405::/48";
const OUTSIDE: &str = "2001:db8:1::/48";

fn site(nat: V6Nat) -> TestResult<Site> {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let router = topology.router(RouterSpec::new("site").nat_v6(nat));
    topology.uplink(router, internet);
    let desk = topology.node("desk");
    let lan = LinkSpec::new()
        .subnet("fd01:203:405:1::/64")
        .subnet("10.9.0.0/24");
    topology.link_with(desk, router, lan);
    let server = topology.node("server");
    topology.link(server, internet);
    Ok(Site {
        lab: topology.start()?,
        router,
        desk,
        server,
    })
}

fn v6(lab: &Lab, node: NodeId) -> TestResult<Ipv6Addr> {
    lab[node].ipv6().ok_or_else(|| "no IPv6".into())
}

#[snowglobe::test(fixtures("busybox"))]
fn a_host_is_known_by_another_prefix_and_reached_by_it() -> TestResult {
    let prefixes = PrefixTranslation::new(INSIDE, OUTSIDE);
    let Site {
        lab,
        router,
        desk,
        server,
    } = site(V6Nat::Prefix(prefixes))?;
    let nat = lab.nat_v6(router)?;
    assert_eq!(nat.engine(), NatEngine::Userspace);
    let inside = v6(&lab, desk)?;
    assert_eq!(inside.to_string(), "fd01:203:405:1::1");
    let outside = nat
        .outside(inside)
        .ok_or("the host has no address outside")?;
    // The example of RFC 6296: subnet 1 is subnet d550 outside.
    assert_eq!(outside.to_string(), "2001:db8:1:d550::1");
    for node in [desk, server] {
        echo(&lab[node]);
        bulk(&lab[node]);
    }
    let to = v6(&lab, server)?.into();
    let seen = seen_as(&lab[desk], to, 100, PATIENCE).ok_or("no answer")?;
    assert_eq!(seen.ip(), IpAddr::from(outside));
    // Nobody has asked for it: each host keeps an address of its own.
    let seen = seen_as(&lab[server], outside.into(), 100, PATIENCE).ok_or("no answer")?;
    assert_eq!(seen.ip(), to);
    exchange(&lab[desk], to, 300_000)?;
    exchange(&lab[server], outside.into(), 300_000)?;
    ping(&lab[desk], to)?;
    ping(&lab[server], outside.into())?;
    // The error quotes a packet, which is translated as well.
    assert_eq!(refused(&lab[desk], (to, 9)), ErrorKind::ConnectionRefused);
    assert_eq!(
        refused(&lab[server], (outside, 9)),
        ErrorKind::ConnectionRefused
    );
    let [out, back] = nat.exchanged();
    assert!(out > 4 && back > 4, "{out} out, {back} in");
    // IPv4 is not translated by this.
    echo_of_v4(&lab, desk, server)
}

fn echo_of_v4(lab: &Lab, desk: NodeId, server: NodeId) -> TestResult {
    let v4 = lab[server].ipv4().ok_or("no IPv4")?;
    let seen = seen_as(&lab[desk], v4.into(), 10, PATIENCE).ok_or("no answer")?;
    assert_eq!(Some(seen.ip()), lab[desk].ipv4().map(IpAddr::from));
    Ok(())
}

#[snowglobe::test]
fn two_sites_have_the_same_prefix_inside_and_reach_each_other() -> TestResult {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let mut desks = Vec::new();
    for n in 1..=2 {
        let prefixes = PrefixTranslation::new(INSIDE, format!("2001:db8:{n}::/48"));
        let router = RouterSpec::new(format!("site{n}")).nat_v6(V6Nat::Prefix(prefixes));
        let router = topology.router(router);
        topology.uplink(router, internet);
        let lan = SwitchSpec::new(format!("lan{n}")).subnet("fd01:203:405:1::/64");
        let lan = topology.switch(lan.subnet(format!("10.{n}.0.0/24")));
        topology.plug(router, lan);
        let desk = topology.node(format!("desk{n}"));
        topology.plug(desk, lan);
        desks.push((desk, router));
    }
    let lab = topology.start()?;
    let [(a, a_router), (b, b_router)] = desks[..] else {
        return Err("two sites".into());
    };
    assert_eq!(lab[a].ipv6(), lab[b].ipv6());
    let outside = |node, router| -> TestResult<Ipv6Addr> {
        let outside = lab.nat_v6(router)?.outside(v6(&lab, node)?);
        outside.ok_or_else(|| "no address outside".into())
    };
    let (a_out, b_out) = (outside(a, a_router)?, outside(b, b_router)?);
    echo(&lab[b]);
    let seen = seen_as(&lab[a], b_out.into(), 10, PATIENCE).ok_or("no answer")?;
    assert_eq!(seen.ip(), IpAddr::from(a_out));
    // A host reaches itself by its address outside, too (hairpinning).
    let seen = seen_as(&lab[b], b_out.into(), 10, PATIENCE).ok_or("no answer")?;
    assert_eq!(seen.ip(), IpAddr::from(b_out));
    Ok(())
}

#[snowglobe::test]
fn two_hosts_of_a_site_meet_at_their_addresses_outside() -> TestResult {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let prefixes = PrefixTranslation::new(INSIDE, OUTSIDE);
    let router = topology.router(RouterSpec::new("site").nat_v6(V6Nat::Prefix(prefixes)));
    topology.uplink(router, internet);
    let lan = topology.switch(SwitchSpec::new("lan").subnet("fd01:203:405:1::/64"));
    topology.plug(router, lan);
    let desks = ["one", "two"].map(|name| {
        let desk = topology.node(name);
        topology.plug(desk, lan);
        desk
    });
    let lab = topology.start()?;
    let nat = lab.nat_v6(router)?;
    let mut outside = Vec::new();
    for desk in desks {
        outside.extend(nat.outside(v6(&lab, desk)?));
    }
    let [one, two] = outside[..] else {
        return Err("no address outside".into());
    };
    for desk in desks {
        echo(&lab[desk]);
        bulk(&lab[desk]);
    }
    let seen = seen_as(&lab[desks[0]], two.into(), 100, PATIENCE).ok_or("no answer")?;
    assert_eq!(seen.ip(), IpAddr::from(one));
    exchange(&lab[desks[0]], two.into(), 300_000)?;
    assert_eq!(
        refused(&lab[desks[1]], (one, 9)),
        ErrorKind::ConnectionRefused
    );
    Ok(())
}

#[snowglobe::test]
fn a_site_is_renumbered_outside_and_keeps_its_addresses_inside() -> TestResult {
    let prefixes = PrefixTranslation::new(INSIDE, OUTSIDE);
    let Site {
        mut lab,
        router,
        desk,
        server,
    } = site(V6Nat::Prefix(prefixes))?;
    echo(&lab[server]);
    let to = v6(&lab, server)?.into();
    let before = seen_as(&lab[desk], to, 10, PATIENCE).ok_or("no answer")?;
    let other = V6Nat::Prefix(PrefixTranslation::new(INSIDE, "2001:db8:2::/48"));
    lab.change_router(router, |spec| spec.nat_v6(other))?;
    let after = seen_as(&lab[desk], to, 10, PATIENCE).ok_or("no answer")?;
    assert_ne!(before.ip(), after.ip());
    let expected = lab.nat_v6(router)?.outside(v6(&lab, desk)?);
    assert_eq!(expected.map(IpAddr::from), Some(after.ip()));
    Ok(())
}

#[snowglobe::test(fixtures("busybox"))]
fn hosts_share_the_address_of_the_uplink_behind_a_masquerade() -> TestResult {
    let Site {
        lab,
        router,
        desk,
        server,
    } = site(V6Nat::Masquerade)?;
    let nat = lab.nat_v6(router)?;
    assert_eq!(nat.engine(), NatEngine::Nftables);
    assert_eq!(nat.outside(v6(&lab, desk)?), None);
    echo(&lab[server]);
    bulk(&lab[server]);
    echo(&lab[desk]);
    let to = v6(&lab, server)?.into();
    let seen = seen_as(&lab[desk], to, 100, PATIENCE).ok_or("no answer")?;
    assert_eq!(Some(seen.ip()), lab[router].ipv6().map(IpAddr::from));
    exchange(&lab[desk], to, 300_000)?;
    ping(&lab[desk], to)?;
    assert_eq!(refused(&lab[desk], (to, 9)), ErrorKind::ConnectionRefused);
    // No route leads inside, and the router keeps out what nobody has asked for.
    let inside = v6(&lab, desk)?.into();
    assert_eq!(seen_as(&lab[server], inside, 10, IMPATIENCE), None);
    let stranger = v6(&lab, router)?.into();
    assert_eq!(seen_as(&lab[server], stranger, 10, IMPATIENCE), None);
    let translated = lab[router].firewall_counters()?;
    assert!(
        translated
            .iter()
            .any(|it| it.rule == "nat" && it.packets > 2),
        "{translated:?}"
    );
    echo_of_v4(&lab, desk, server)
}
