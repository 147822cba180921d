//! Routers: uplinks, default routes, chains, TTL, the MTU of a path.

use snowglobe::prelude::*;
use snowglobe::topology::{Firewall, PathMtu, TopologyErrorKind};

use crate::traffic::{ECHO, IMPATIENCE, PATIENCE, echo, has_address, seen_as, traceroute};

#[snowglobe::test]
fn a_laptop_at_home_reaches_a_server_by_its_default_route() -> TestResult {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let home = topology.router(RouterSpec::home("home"));
    topology.uplink(home, internet);
    let laptop = topology.node("laptop");
    topology.link(laptop, home);
    let server = topology.node("server");
    topology.link(server, internet);
    let lab = topology.start()?;
    echo(&lab[server]);
    let seen = seen_as(&lab[laptop], lab[server].ip(), PATIENCE).ok_or("no answer")?;
    assert_eq!(seen.ip(), lab[home].ip(), "the router's public address");
    assert_ne!(seen.ip(), lab[laptop].ip());
    // IPv6 is not translated, and the laptop has a public address.
    let v6 = lab[server].ipv6().ok_or("the server has no IPv6 address")?;
    let seen = seen_as(&lab[laptop], v6.into(), PATIENCE).ok_or("no answer")?;
    assert_eq!(Some(seen.ip()), lab[laptop].ipv6().map(IpAddr::V6));
    Ok(())
}

#[snowglobe::test]
fn two_homes_have_the_same_address_plan() -> TestResult {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let mut laptops = Vec::new();
    for n in 1..=2 {
        let home = topology.router(RouterSpec::home(format!("home{n}")));
        topology.uplink(home, internet);
        let lan = topology.switch(SwitchSpec::new(format!("lan{n}")).subnet("192.168.1.0/24"));
        topology.plug(home, lan);
        let laptop = topology.node(format!("laptop{n}"));
        topology.plug(laptop, lan);
        laptops.push(laptop);
    }
    let server = topology.node("server");
    topology.link(server, internet);
    let lab = topology.start()?;
    echo(&lab[server]);
    let [a, b] = laptops[..] else { unreachable!() };
    assert_eq!(lab[a].ip(), lab[b].ip());
    let [a, b] = [a, b].map(|laptop| seen_as(&lab[laptop], lab[server].ip(), PATIENCE));
    let (a, b) = (a.ok_or("no answer")?, b.ok_or("no answer")?);
    assert_ne!(a.ip(), b.ip());
    Ok(())
}

#[snowglobe::test]
fn a_packet_meets_each_router_of_a_chain() -> TestResult {
    let mut topology = Topology::new();
    let routers: Vec<_> = (1..=4).map(|n| topology.router(format!("r{n}"))).collect();
    for pair in routers.windows(2) {
        topology.link(pair[0], pair[1]);
    }
    let (near, far) = (topology.node("near"), topology.node("far"));
    topology.link(near, routers[0]);
    topology.link(far, routers[3]);
    let plan = topology.plan()?;
    let lab = topology.start()?;
    echo(&lab[far]);
    let to = lab[far].ipv4().ok_or("no address")?;
    let way = traceroute(&lab[near], to);
    assert_eq!(way.len(), 4, "{way:?}");
    for (router, at) in routers.iter().zip(way) {
        assert!(has_address(&plan, *router, at), "{at}");
    }
    Ok(())
}

#[snowglobe::test]
fn the_mtu_of_a_path_is_found_unless_a_router_is_a_black_hole() -> TestResult {
    for path_mtu in [PathMtu::Discoverable, PathMtu::Blackhole] {
        let mut topology = Topology::new();
        let near = topology.router(RouterSpec::new("near").path_mtu(path_mtu));
        let far = topology.router("far");
        topology.link_with(near, far, LinkSpec::new().mtu(1300));
        let (client, server) = (topology.node("client"), topology.node("server"));
        topology.link(client, near);
        topology.link(server, far);
        let lab = topology.start()?;
        echo(&lab[server]);
        for to in [
            lab[server].ip(),
            lab[server].ipv6().ok_or("no IPv6")?.into(),
        ] {
            let answer = lab[client].run(|| -> std::io::Result<String> {
                let any = if to.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
                let socket = UdpSocket::bind(any)?;
                socket.connect((to, ECHO))?;
                socket.set_read_timeout(Some(PATIENCE))?;
                let mut answer = [0; 100];
                // A pending error of an earlier datagram may be told first: EMSGSIZE.
                let send = |bytes: &[u8]| socket.send(bytes).or_else(|_| socket.send(bytes));
                // Too large for the second link. The message about that comes from nearer than the
                // answer to the second datagram, and the kernel divides later ones.
                send(&[0; 1400])?;
                send(b"small")?;
                while socket.recv(&mut answer).is_err() {
                    send(b"small")?;
                }
                send(&[0; 1400])?;
                send(b"last")?;
                let length = socket.recv(&mut answer)?;
                Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
            })?;
            let expected = match path_mtu {
                PathMtu::Discoverable => " 1400",
                PathMtu::Blackhole => " 4",
            };
            assert!(answer.ends_with(expected), "{path_mtu:?} to {to}: {answer}");
        }
    }
    Ok(())
}

#[snowglobe::test]
fn routes_lead_along_the_cheapest_links_and_around_a_link_that_is_gone() -> TestResult {
    let mut topology = Topology::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| topology.router(name));
    let direct = topology.link_with(a, c, LinkSpec::new().cost(10));
    let first = topology.link(a, b);
    topology.link(b, c);
    let (near, far) = (topology.node("near"), topology.node("far"));
    topology.link(near, a);
    topology.link(far, c);
    let mut lab = topology.start()?;
    echo(&lab[far]);
    let to = lab[far].ipv4().ok_or("no address")?;
    assert_eq!(
        traceroute(&lab[near], to).len(),
        3,
        "over b, although c is nearer"
    );
    lab.remove_link(first)?;
    assert_eq!(
        traceroute(&lab[near], to).len(),
        2,
        "the direct link is left"
    );
    lab.remove_link(direct)?;
    assert_eq!(seen_as(&lab[near], to.into(), IMPATIENCE), None);
    Ok(())
}

/// A lab that has lost an uplink, or the router beyond, can be changed further.
#[snowglobe::test]
fn an_uplink_can_be_removed_and_its_provider_too() -> TestResult {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let [isp1, isp2] = ["isp1", "isp2"].map(|name| topology.router(name));
    let edge = topology.router("edge");
    for isp in [isp1, isp2] {
        topology.uplink(isp, internet);
    }
    let first = topology.uplink_with(edge, isp1, LinkSpec::new().metric(10));
    topology.uplink_with(edge, isp2, LinkSpec::new().metric(20));
    let (home, server) = (topology.node("home"), topology.node("server"));
    topology.link(home, edge);
    topology.link(server, internet);
    let mut lab = topology.start()?;
    echo(&lab[server]);
    let to = lab[server].ip();
    assert!(seen_as(&lab[home], to, PATIENCE).is_some());
    lab.remove_link(first)?;
    assert!(seen_as(&lab[home], to, PATIENCE).is_some());
    lab.remove_node(isp2)?;
    assert_eq!(seen_as(&lab[home], to, IMPATIENCE), None);
    lab.set_firewall(edge, Firewall::open())?;
    Ok(())
}

#[snowglobe::test]
fn what_cannot_be_routed_is_refused() {
    let refused = |make: &dyn Fn(&mut Topology)| {
        let mut topology = Topology::new();
        make(&mut topology);
        let error = topology.validate().expect_err("the topology is wrong");
        (error.kind(), error.to_string())
    };
    let (kind, text) = refused(&|topology| {
        topology.router(RouterSpec::home("home"));
    });
    assert_eq!(kind, TopologyErrorKind::Missing);
    assert!(
        text.contains("`home` translates addresses but has no uplink"),
        "{text}"
    );
    let (kind, text) = refused(&|topology| {
        let (home, laptop) = (topology.router("home"), topology.node("laptop"));
        topology.uplink(home, laptop);
    });
    assert_eq!(kind, TopologyErrorKind::Missing);
    assert!(text.contains("leads to no router"), "{text}");
    let (kind, text) = refused(&|topology| {
        let [a, b] = ["a", "b"].map(|name| topology.router(name));
        for (router, name) in [(a, "x"), (b, "y")] {
            let node = topology.node(name);
            topology.link_with(node, router, LinkSpec::new().subnet("192.168.1.0/24"));
        }
        topology.link(a, b);
    });
    assert_eq!(kind, TopologyErrorKind::Conflict);
    assert!(text.contains("overlaps"), "{text}");
    let (kind, text) = refused(&|topology| {
        let internet = topology.internet();
        let home = topology.router(RouterSpec::home("home"));
        topology.uplink(home, internet);
        topology.link(home, internet);
    });
    assert_eq!(kind, TopologyErrorKind::Wiring);
    assert!(text.contains("joined elsewhere too"), "{text}");
    let (kind, text) = refused(&|topology| {
        let internet = topology.internet();
        let host = topology.node("host");
        for _ in 0..2 {
            topology.link_with(host, internet, LinkSpec::new().metric(5));
        }
    });
    assert_eq!(kind, TopologyErrorKind::Conflict);
    assert!(text.contains("two default routes with metric 5"), "{text}");
}
