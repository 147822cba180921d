//! Every node reaches every other: by following the routes, hop by hop, as the kernel would.

use std::net::IpAddr;

use super::{any, complaint, v4};
use crate::plan::{Plan, RoutePlan};
use crate::topology::{Families, LinkSpec, NodeSpec, Routing, Topology, shape};

/// Returns the stacks that a packet meets on its way, or how far it came.
fn walk(plan: &Plan, from: usize, to: IpAddr) -> Result<Vec<usize>, Vec<usize>> {
    let owner = |ip: IpAddr| {
        let has = |(_, stack): &(usize, &crate::plan::StackPlan)| {
            stack
                .interfaces
                .iter()
                .any(|interface| interface.addresses.iter().any(|address| address.ip == ip))
        };
        plan.stacks
            .iter()
            .enumerate()
            .find(has)
            .map(|(index, _)| index)
    };
    let mut path = vec![from];
    while path.len() < 70 {
        let at = path[path.len() - 1];
        if owner(to) == Some(at) {
            return Ok(path);
        }
        let stack = &plan.stacks[at];
        if path.len() > 1
            && !stack
                .own
                .sysctls
                .iter()
                .any(|sysctl| sysctl.path == "net/ipv4/ip_forward")
        {
            return Err(path);
        }
        let on_link = stack
            .interfaces
            .iter()
            .flat_map(|interface| &plan[interface.segment].subnets);
        let on_link = on_link
            .filter(|subnet| subnet.contains(to))
            .map(|subnet| (subnet.prefix(), to));
        let routed = stack
            .routes()
            .filter(|route| route.to.contains(to))
            .map(|route| (route.to.prefix(), route.via));
        let Some((_, via)) = on_link.chain(routed).max_by_key(|(prefix, _)| *prefix) else {
            return Err(path);
        };
        let Some(next) = owner(via) else {
            return Err(path);
        };
        path.push(next);
    }
    Err(path)
}

fn everyone_reaches_everyone(topology: &Topology, longest: usize) {
    let plan = topology.plan().unwrap();
    for from in 0..plan.stacks.len() {
        for to in &plan.stacks {
            for ip in to.primary() {
                let path = walk(&plan, from, ip);
                assert!(
                    path.as_ref().is_ok_and(|path| path.len() <= longest),
                    "stack {from} to {ip}: {path:?}\n{}",
                    topology.sketch()
                );
            }
        }
    }
}

#[test]
fn every_shape_is_connected() {
    everyone_reaches_everyone(&shape::pair(), 2);
    everyone_reaches_everyone(&shape::star(20), 2);
    everyone_reaches_everyone(&shape::line(12), 12);
    everyone_reaches_everyone(&shape::ring(9), 5); // half way round, at most
    everyone_reaches_everyone(&shape::full_mesh(7), 2); // by the cable that the two share
    everyone_reaches_everyone(&shape::tree(3, 3), 7);
    everyone_reaches_everyone(&shape::dumbbell(5, 4), 4);
    for seed in 0..30 {
        everyone_reaches_everyone(&shape::random(20, seed), 20);
    }
}

#[test]
fn routes_never_lead_in_circles() {
    for seed in 0..200 {
        let topology = any(seed);
        let Ok(plan) = topology.plan() else { continue };
        for from in 0..plan.stacks.len() {
            for ip in plan.stacks.iter().flat_map(|to| to.primary()) {
                let path = walk(&plan, from, ip).unwrap_or_else(|path| path);
                assert!(
                    path.len() < 70,
                    "seed {seed}: stack {from} to {ip} goes in circles"
                );
                let mut once = path.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(
                    once.len(),
                    path.len(),
                    "seed {seed}: stack {from} to {ip} meets a stack twice: {path:?}"
                );
            }
        }
    }
}

#[test]
fn one_segment_needs_no_routes() {
    assert!(
        shape::star(100)
            .plan()
            .unwrap()
            .stacks
            .iter()
            .all(|stack| stack.routes().next().is_none())
    );
}

#[test]
fn a_long_line_needs_few_routes_each() {
    let plan = shape::line(500).plan().unwrap();
    let most = plan
        .stacks
        .iter()
        .map(|stack| stack.routes().count())
        .max()
        .unwrap();
    // 499 subnets, cut in two at the node: at most one route for each bit of their numbers, each
    // way, in two families.
    assert!(most <= 2 * 2 * 9, "{most} routes");
}

#[test]
fn routing_can_be_switched_off() {
    let mut topology = shape::line(3);
    topology.routing(Routing::None);
    let plan = topology.plan().unwrap();
    assert!(
        plan.stacks
            .iter()
            .all(|stack| stack.routes().next().is_none())
    );
    assert!(plan.stacks.iter().all(|stack| {
        stack
            .own
            .sysctls
            .iter()
            .all(|sysctl| !sysctl.path.contains("forward"))
    }));
}

#[test]
fn a_node_that_does_not_forward_is_reached_and_not_crossed() {
    let mut topology = Topology::new();
    let (front, back) = (topology.switch("front"), topology.switch("back"));
    let (client, server) = (topology.node("client"), topology.node("server"));
    let proxy = topology.node(NodeSpec::new("proxy").forward(false));
    topology.plug(proxy, back); // its first address is one that the client has no way to but over itself
    topology.plug(proxy, front);
    topology.plug(client, front);
    topology.plug(server, back);
    let plan = topology.plan().unwrap();
    let routes: Vec<&RoutePlan> = plan
        .stack(client)
        .routes()
        .filter(|route| !route.to.is_ipv6())
        .collect();
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].to.to_string(), format!("{}/32", v4(&plan, proxy)));
    assert!(
        walk(
            &plan,
            plan.nodes[client.index()].stack.index(),
            v4(&plan, server).parse().unwrap()
        )
        .is_err()
    );
}

#[test]
fn uplinks_in_a_circle_are_refused_for_each_version_that_has_no_way_out() {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let routers = ["one", "two", "three"].map(|name| topology.router(name));
    for [from, to] in [[0, 1], [1, 2], [2, 0]] {
        topology.uplink(routers[from], routers[to]);
    }
    let circle = |versions| {
        format!(
            "the uplinks of node `one` lead in a circle without a way out for {versions}; give a router of the circle an uplink with {versions} to `topology.internet()`, or make one uplink of the circle a `topology.link(…)`"
        )
    };
    assert_eq!(complaint(&topology), circle("IPv4 and IPv6"));
    for (families, left) in [(Families::V4, "IPv6"), (Families::V6, "IPv4")] {
        let mut topology = topology.clone();
        let out = LinkSpec::new().families(families);
        topology.uplink_with(routers[2], internet, out);
        assert_eq!(complaint(&topology), circle(left));
    }
    // One way out is enough, and the circle is a way around.
    topology.uplink(routers[2], internet);
    topology.validate().unwrap();
}
