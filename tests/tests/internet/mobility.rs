//! Hosts that change their way to the Internet, and the situations of the library.

use snowglobe::lab::wait_until;
use snowglobe::prelude::*;
use snowglobe::topology::situation;

use crate::traffic::{IMPATIENCE, PATIENCE, echo, listen, patience_if, reaches, seen_as};

#[snowglobe::test]
fn a_phone_changes_from_wifi_to_mobile_and_back() -> TestResult {
    let here = situation::handover();
    let mut lab = here.topology.start()?;
    echo(&lab[here.server]);
    let to = lab[here.server].ip();
    let [wifi, mobile] = here.links[..] else {
        return Err("a phone has two links".into());
    };
    let seen = |lab: &Lab| {
        let seen = seen_as(&lab[here.a], to, PATIENCE);
        seen.map(|seen| seen.ip()).ok_or("no answer")
    };
    let by_wifi = seen(&lab)?;
    lab.set_metric(mobile, 50)?;
    let by_mobile = seen(&lab)?;
    assert_ne!(by_wifi, by_mobile);
    lab.set_metric(mobile, 300)?;
    assert_eq!(seen(&lab)?, by_wifi, "back without a gap");
    // A handover with a gap: the Wi-Fi is gone before anything else happens.
    lab.remove_link(wifi)?;
    assert_eq!(seen(&lab)?, by_mobile);
    Ok(())
}

#[snowglobe::test]
fn a_wifi_that_goes_down_leaves_the_mobile_network() -> TestResult {
    let here = situation::handover();
    let lab = here.topology.start()?;
    echo(&lab[here.server]);
    let to = lab[here.server].ip();
    let seen = || seen_as(&lab[here.a], to, IMPATIENCE).map(|seen| seen.ip());
    let before = wait_until(PATIENCE, || seen().ok_or("no answer"))?;
    lab[here.links[0]].down()?;
    // The kernel takes note of a lost carrier some time later (net/core/link_watch.c), and a
    // datagram that is sent before that is lost.
    wait_until(PATIENCE, || seen().is_some_and(|now| now != before))?;
    lab[here.links[0]].up()?;
    wait_until(PATIENCE, || seen() == Some(before))?;
    Ok(())
}

#[snowglobe::test]
fn a_laptop_moves_from_one_home_to_another() -> TestResult {
    let mut here = situation::home_to_home();
    let other = SwitchSpec::new("cafe-lan").subnet("192.168.7.0/24");
    let other = here.topology.switch(other);
    let cafe = here.topology.router(RouterSpec::home("cafe"));
    here.topology.uplink(cafe, here.internet);
    here.topology.plug(cafe, other);
    let mut lab = here.topology.start()?;
    echo(&lab[here.server]);
    let to = lab[here.server].ip();
    let (ip, before) = (
        lab[here.a].ip(),
        seen_as(&lab[here.a], to, PATIENCE).ok_or("no answer")?,
    );
    lab.move_link(here.links[0], other)?;
    let after = seen_as(&lab[here.a], to, PATIENCE).ok_or("no answer")?;
    assert_ne!(lab[here.a].ip(), ip, "another network, another address");
    assert_ne!(after.ip(), before.ip(), "another router");
    Ok(())
}

/// The routers of both homes have the same address inside, and the host has spoken with one of
/// them.
#[snowglobe::test]
fn a_laptop_forgets_the_router_of_the_home_that_it_leaves() -> TestResult {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let server = topology.node("server");
    topology.link(server, internet);
    let [one, two] = ["one", "two"].map(|name| {
        let router = topology.router(RouterSpec::home(name));
        topology.uplink(router, internet);
        let lan = SwitchSpec::new(format!("{name}-lan")).subnet("192.168.7.0/24");
        let lan = topology.switch(lan);
        topology.plug(router, lan);
        (router, lan)
    });
    let laptop = topology.node("laptop");
    let cable = topology.plug(laptop, one.1);
    let mut lab = topology.start()?;
    echo(&lab[server]);
    let to = lab[server].ip();
    for (router, lan) in [two, one, two] {
        assert!(seen_as(&lab[laptop], to, PATIENCE).is_some());
        let before = lab[laptop].ip();
        lab.move_link(cable, lan)?;
        assert_eq!(lab[laptop].ip(), before, "both homes have the same plan");
        let seen = seen_as(&lab[laptop], to, PATIENCE).ok_or("no answer")?;
        assert_eq!(seen.ip(), lab[router].ip());
    }
    Ok(())
}

#[snowglobe::test]
fn in_every_situation_the_server_sees_the_peers_as_it_should() -> TestResult {
    for (name, make) in situation::ALL {
        let here = make();
        let lab = here.topology.start()?;
        echo(&lab[here.server]);
        listen(&lab[here.server], &[443]);
        let v4: IpAddr = lab[here.server].ipv4().ok_or("no IPv4")?.into();
        let v6 = lab[here.server].ipv6().ok_or("no IPv6")?;
        // With NAT64 alone, a program that uses addresses of IPv4 gets nowhere.
        let expected = match name {
            "office_without_udp" => [false, false, true, true],
            "hotel" => [false; 4],
            "v6_only_phone" => [false, true, false, true],
            _ => [true; 4],
        };
        let udp = |ip: IpAddr, patience| seen_as(&lab[here.a], ip, patience).is_some();
        let tcp = |ip: IpAddr, patience| reaches(&lab[here.a], ip, 443, patience);
        let patience = expected.map(patience_if);
        let found = [
            udp(v4, patience[0]),
            udp(v6.into(), patience[1]),
            tcp(v4, patience[2]),
            tcp(v6.into(), patience[3]),
        ];
        assert_eq!(
            found, expected,
            "{name}: UDP by IPv4 and IPv6, TCP by IPv4 and IPv6"
        );
        assert!(
            seen_as(&lab[here.b], v4, PATIENCE).is_some(),
            "{name}: the other peer"
        );
    }
    Ok(())
}

#[snowglobe::test]
fn a_router_of_toml_is_that_of_the_builder() -> TestResult {
    let text = r#"
        [[switch]]
        name = "lan"
        subnets = ["192.168.1.0/24"]

        [[node]]
        name = "laptop"
        network.firewall = { inbound = "drop" }
        network.routes = [{ to = "198.51.100.0/24", via = "home", metric = 7 }]

        [[router]]
        name = "internet"
        kind = "internet"

        [[router]]
        name = "home"
        kind = "home"
        path_mtu = "blackhole"
        firewall = { inbound = "drop", log = true, rules = [{ heading = "outbound", action = "reject", protocol = "udp", ports = [[53, 53]] }] }

        [[link]]
        ends = ["home", "internet"]
        uplink = true
        metric = 20

        [[link]]
        ends = ["home", "lan"]

        [[link]]
        ends = ["laptop", "lan"]
        cost = 3
    "#;
    use snowglobe::topology::{Firewall, FirewallAction, FirewallRule, PathMtu, RouteSpec};
    let mut built = Topology::new();
    let lan = built.switch(SwitchSpec::new("lan").subnet("192.168.1.0/24"));
    let route = RouteSpec::new("198.51.100.0/24", "home").metric(7);
    let laptop = NodeSpec::new("laptop")
        .firewall(Firewall::inbound_block())
        .route(route);
    let laptop = built.node(laptop);
    let internet = built.internet();
    let dns = FirewallRule::outbound(FirewallAction::Reject)
        .udp()
        .ports([53]);
    let home = RouterSpec::home("home")
        .path_mtu(PathMtu::Blackhole)
        .firewall(Firewall::inbound_block().rule(dns).log());
    let home = built.router(home);
    built.uplink_with(home, internet, LinkSpec::new().metric(20));
    built.plug(home, lan);
    built.plug_with(laptop, lan, LinkSpec::new().cost(3));
    let read = Topology::from_toml(text)?;
    assert_eq!(read, built);
    assert_eq!(Topology::from_toml(&built.to_toml()?)?, built);
    for (_, make) in situation::ALL {
        let topology = make().topology;
        assert_eq!(Topology::from_toml(&topology.to_toml()?)?, topology);
    }
    // A problem with a router has its place in the text.
    let wrong = text.replace("uplink = true", "").replace("metric = 20", "");
    let error = Topology::from_toml(&wrong).expect_err("no uplink is left");
    assert!(error.to_string().contains("line 15, column 9"), "{error}");
    Ok(())
}
