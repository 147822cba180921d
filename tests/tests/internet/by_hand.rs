//! Routes by hand: asymmetric paths, and policies by source.

use snowglobe::prelude::*;
use snowglobe::topology::{RouteSpec, TopologyErrorKind};

use crate::traffic::{echo, has_address, traceroute};

#[snowglobe::test]
fn a_path_there_and_another_one_back() -> TestResult {
    let mut topology = Topology::new();
    let r1 = topology.router("r1");
    let r2 = topology.router("r2");
    let r3 = topology.router("r3");
    let back = RouteSpec::new("10.9.1.0/24", "r3");
    let r4 = topology.router(RouterSpec::new("r4").route(back));
    for (a, b) in [(r1, r2), (r2, r4), (r1, r3), (r3, r4)] {
        topology.link(a, b);
    }
    let (client, server) = (topology.node("client"), topology.node("server"));
    topology.link_with(client, r1, LinkSpec::new().subnet("10.9.1.0/24"));
    topology.link(server, r4);
    let plan = topology.plan()?;
    let lab = topology.start()?;
    echo(&lab[server]);
    echo(&lab[client]);
    let is_of = |router, ip| has_address(&plan, router, ip);
    let there = traceroute(&lab[client], lab[server].ipv4().ok_or("no address")?);
    assert!(there.len() == 3 && is_of(r2, there[1]), "{there:?}");
    // The answer of the third router on the way there takes the other way, too.
    let back = traceroute(&lab[server], lab[client].ipv4().ok_or("no address")?);
    assert!(back.len() == 3 && is_of(r3, back[1]), "{back:?}");
    Ok(())
}

#[snowglobe::test]
fn packets_of_one_source_leave_by_another_uplink() -> TestResult {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let [isp1, isp2] = ["isp1", "isp2"].map(|name| topology.router(name));
    for isp in [isp1, isp2] {
        topology.uplink(isp, internet);
    }
    let guests = RouteSpec::new("0.0.0.0/0", "isp2").from("10.9.2.0/24");
    let office = topology.router(RouterSpec::new("office").route(guests));
    topology.uplink(office, isp1);
    topology.uplink(office, isp2);
    let (staff, guest) = (topology.node("staff"), topology.node("guest"));
    topology.link_with(staff, office, LinkSpec::new().subnet("10.9.1.0/24"));
    topology.link_with(guest, office, LinkSpec::new().subnet("10.9.2.0/24"));
    let server = topology.node("server");
    topology.link(server, internet);
    let plan = topology.plan()?;
    let mut lab = topology.start()?;
    echo(&lab[server]);
    let to = lab[server].ipv4().ok_or("no address")?;
    let is_of = |router, ip| has_address(&plan, router, ip);
    let second = |lab: &Lab, node| traceroute(&lab[node], to)[1];
    assert!(is_of(isp1, second(&lab, staff)));
    assert!(is_of(isp2, second(&lab, guest)));
    // The policy goes with the change of the router.
    lab.change_router(office, |_| RouterSpec::new("office"))?;
    assert!(is_of(isp1, second(&lab, guest)));
    Ok(())
}

#[snowglobe::test]
fn a_route_that_cannot_exist_is_refused() {
    for (route, kind, complaint) in [
        (
            RouteSpec::new("10.9.0.0/16", "far"),
            TopologyErrorKind::Missing,
            "leads over `far`, which is no neighbour with an IPv4 address; neighbours are `r2`",
        ),
        (
            RouteSpec::new("fd00::/16", "10.0.0.77"),
            TopologyErrorKind::Missing,
            "no neighbour with an IPv6 address",
        ),
        (
            RouteSpec::new("10.9.0.0", "r2").from("fd00::/16"),
            TopologyErrorKind::Invalid,
            "comes from a network of the other family",
        ),
        (
            RouteSpec::new("everywhere", "r2"),
            TopologyErrorKind::Invalid,
            "has `everywhere`, which is no network",
        ),
    ] {
        check_refusal(&[route], kind, complaint);
    }
}

/// Checks what is said of a router with these routes by hand, whose neighbour is `r2`.
fn check_refusal(routes: &[RouteSpec], kind: TopologyErrorKind, complaint: &str) {
    let spec = routes
        .iter()
        .cloned()
        .fold(RouterSpec::new("r1"), RouterSpec::route);
    let mut topology = Topology::new();
    let r1 = topology.router(spec);
    let r2 = topology.router("r2");
    let far = topology.node("far");
    topology.uplink_with(r1, r2, LinkSpec::new().subnet("10.7.0.0/24").metric(100));
    topology.link(r2, far);
    let host = topology.node("host");
    topology.link(host, r1);
    let error = topology.validate().expect_err("the routes are wrong");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(complaint), "{error}");
}

/// The kernel takes one route to a network with each metric: without the check, it would refuse the
/// second one while the lab starts, or the second one would push the first one out.
#[snowglobe::test]
fn routes_by_hand_that_collide_are_refused() {
    let to = |via: &str| RouteSpec::new("10.9.0.0/16", via);
    let from = |via: &str| to(via).from("10.1.0.0/16");
    for (routes, complaint) in [
        (
            vec![to("r2"), to("host")],
            "is there twice, by different ways",
        ),
        (
            vec![from("r2"), from("host")],
            "is there twice, by different ways",
        ),
        (
            vec![to("r2").metric(7), to("host").metric(7)],
            "is there twice",
        ),
        (
            vec![RouteSpec::new("10.7.0.0/24", "r2")],
            "the node is on that network itself",
        ),
        (
            vec![RouteSpec::new("0.0.0.0/0", "host").metric(100)],
            "has metric 100, as the automatic route there has",
        ),
    ] {
        check_refusal(&routes, TopologyErrorKind::Conflict, complaint);
    }
    let mut topology = Topology::new();
    let routes = [to("r2"), to("r2"), to("r2").metric(7), from("r2")];
    let spec = routes
        .into_iter()
        .fold(RouterSpec::new("r1"), RouterSpec::route);
    let r1 = topology.router(spec);
    let r2 = topology.router("r2");
    topology.link(r1, r2);
    assert_eq!(topology.validate(), Ok(()));
}
