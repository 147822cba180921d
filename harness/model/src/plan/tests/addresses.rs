//! Addresses never overlap, never change, and are where people expect them.

use std::collections::{HashMap, HashSet};

use super::{any, complaint, v4};
use crate::plan::{Plan, SegmentId};
use crate::topology::{EndSpec, Families, LinkSpec, SwitchSpec, Topology, shape};

/// Panics where a plan has an address twice, overlapping subnets, or an interface outside its
/// segment's subnets.
fn check(plan: &Plan, seed: u64) {
    let mut seen = HashSet::new();
    let mut macs: HashMap<SegmentId, HashSet<[u8; 6]>> = HashMap::new();
    for interface in plan.stacks.iter().flat_map(|stack| &stack.interfaces) {
        assert!(
            macs.entry(interface.segment)
                .or_default()
                .insert(interface.mac),
            "seed {seed}: MAC twice on a segment"
        );
        for address in &interface.addresses {
            let subnets = &plan[interface.segment].subnets;
            let local = address.to_string().starts_with("fe80:");
            assert!(
                local || seen.insert(address.ip),
                "seed {seed}: {address} twice"
            );
            assert!(
                local
                    || subnets
                        .iter()
                        .any(|subnet| subnet.contains(address.ip)
                            && subnet.prefix() == address.prefix)
            );
        }
    }
    let subnets: Vec<_> = plan
        .segments
        .iter()
        .flat_map(|segment| &segment.subnets)
        .collect();
    for (index, a) in subnets.iter().enumerate() {
        assert!(
            subnets[..index].iter().all(|b| !a.overlaps(b)),
            "seed {seed}: {a} overlaps another"
        );
    }
}

#[test]
fn whatever_the_topology_no_address_is_given_twice() {
    let mut planned = 0;
    for seed in 0..500 {
        if let Ok(plan) = any(seed).plan() {
            check(&plan, seed);
            planned += 1;
        }
    }
    // A few seeds give overlapping subnets by hand, or two links of one name; those are refused,
    // rightly.
    assert!(
        planned > 300,
        "only {planned} of 500 topologies could be planned"
    );
}

#[test]
fn the_same_topology_gets_the_same_plan() {
    for seed in 0..100 {
        assert_eq!(any(seed).plan().ok(), any(seed).plan().ok(), "seed {seed}");
    }
}

#[test]
fn a_lab_that_grows_keeps_what_it_has() {
    let mut topology = shape::star(3);
    let before = topology.plan().unwrap();
    let (lan, wan) = (topology.find_switch("lan").unwrap(), topology.switch("wan"));
    let new = topology.node("new");
    topology.plug(new, lan);
    topology.plug(new, wan);
    topology.link(new, topology.find("n1").unwrap());
    let after = before.grow(&topology).unwrap();
    for node in before.nodes.iter().map(|node| node.node) {
        let (old, new) = (
            &before.stack(node).interfaces,
            &after.stack(node).interfaces,
        );
        assert!(
            old.iter()
                .zip(new)
                .all(|(old, new)| old.addresses == new.addresses && old.name == new.name)
        );
    }
    assert_eq!(v4(&after, new), "10.0.0.4");
    check(&after, 0);
}

#[test]
fn a_link_in_use_cannot_change_by_growing() {
    let mut topology = shape::pair();
    let before = topology.plan().unwrap();
    let link = topology.links().next().unwrap();
    topology.edit_link(link, |spec| spec.mtu(9000));
    let error = before.grow(&topology).unwrap_err().to_string();
    assert_eq!(
        error,
        "link `alice–bob` is in use and cannot change; add another link beside it"
    );
}

#[test]
fn a_large_switch_gets_a_large_subnet() {
    let plan = shape::star(2000).plan().unwrap();
    assert_eq!(plan.segments[0].subnets[0].to_string(), "10.0.0.0/21"); // 2,046 hosts
    check(&plan, 0);
}

#[test]
fn subnets_by_hand_are_stepped_over() {
    let mut topology = Topology::new();
    let (a, b) = (topology.node("a"), topology.node("b"));
    topology.link_with(a, b, LinkSpec::new().subnet("10.0.0.128/25"));
    topology.link(a, b);
    topology.link_with(a, b, LinkSpec::new().subnet("fd73:6e6f:77:2::/64"));
    let plan = topology.plan().unwrap();
    let subnets: Vec<String> = plan
        .segments
        .iter()
        .map(|segment| {
            format!(
                "{:?}",
                segment
                    .subnets
                    .iter()
                    .map(|s| s.to_string())
                    .collect::<Vec<_>>()
            )
        })
        .collect();
    let expected = [
        r#"["10.0.0.128/25", "fd73:6e6f:77:1::/64"]"#,
        r#"["10.0.3.0/24", "fd73:6e6f:77:3::/64"]"#,
        r#"["fd73:6e6f:77:2::/64", "10.0.4.0/24"]"#,
    ];
    assert_eq!(subnets, expected);
}

#[test]
fn addresses_by_hand_leave_the_rest_to_us() {
    let mut topology = Topology::new();
    let lan = topology.switch(SwitchSpec::new("lan").subnet("192.168.1.0/24"));
    let nodes = ["a", "b", "c"].map(|name| topology.node(name));
    topology.plug(nodes[0], lan);
    topology.plug_with(
        nodes[1],
        lan,
        LinkSpec::new().a(EndSpec::new().address("192.168.1.1")),
    );
    topology.plug_with(
        nodes[2],
        lan,
        LinkSpec::new().a(EndSpec::new()
            .address("192.168.1.9/24")
            .address("192.168.1.10")),
    );
    let plan = topology.plan().unwrap();
    assert_eq!(
        nodes.map(|node| v4(&plan, node)),
        ["192.168.1.2", "192.168.1.1", "192.168.1.9"]
    );
    assert_eq!(plan.stack(nodes[2]).interfaces[0].addresses.len(), 4); // two by hand, an automatic IPv6 one, a link-local one
}

#[test]
fn families_are_a_choice() {
    let mut topology = shape::pair();
    topology.families(Families::V4);
    let plan = topology.plan().unwrap();
    assert_eq!(plan.stacks[0].interfaces[0].addresses.len(), 1);
    let (alice, bob) = (
        topology.find("alice").unwrap(),
        topology.find("bob").unwrap(),
    );
    topology.link_with(alice, bob, LinkSpec::new().families(Families::None));
    assert!(
        topology.plan().unwrap().stacks[0].interfaces[1]
            .addresses
            .is_empty()
    );
}

#[test]
fn an_exhausted_pool_is_said_so() {
    let mut topology = shape::line(6);
    topology.address_pools("10.9.0.0/22", "fd00::/48");
    let expected = "the address pools `10.9.0.0/22` and `fd00::/48` are exhausted at link `n5–n6`; give larger ones with `address_pools`";
    assert_eq!(complaint(&topology), expected);
}

#[test]
fn an_exhausted_subnet_is_said_so() {
    let mut topology = Topology::new();
    let lan = topology.switch(SwitchSpec::new("lan").subnet("10.9.0.0/29"));
    for n in 0..7 {
        let node = topology.node(format!("n{n}"));
        topology.plug(node, lan);
    }
    let expected = "subnet `10.9.0.0/29` of switch `lan` has room for 6 interfaces, but 7 are plugged in; give a larger one";
    assert_eq!(complaint(&topology), expected);
}
