//! What a stack loses and gains from one plan to the next.

use std::collections::HashSet;

use super::any;
use crate::plan::{InterfaceId, Plan, StackOp, StackPlan, diff};
use crate::topology::{NodeSpec, Topology, shape};

/// Returns the plans before and after a node is joined to two others, by cables.
fn grown(topology: &Topology) -> Option<[Plan; 2]> {
    let before = topology.plan().ok()?;
    let mut topology = topology.clone();
    let new = topology.node("late");
    for node in before.nodes.iter().take(2).map(|node| node.node) {
        topology.link(node, new);
    }
    let after = before.grow(&topology).ok()?;
    Some([before, after])
}

/// Returns the stacks that both plans have.
fn common<'p>([before, after]: &'p [Plan; 2]) -> Vec<[&'p StackPlan; 2]> {
    let pair = |old: &'p StackPlan| {
        let new = after.stacks.iter().find(|new| new.owner == old.owner)?;
        Some([old, new])
    };
    before.stacks.iter().filter_map(pair).collect()
}

#[test]
fn what_stays_the_same_is_not_touched() {
    for seed in 0..50 {
        let Ok(plan) = any(seed).plan() else { continue };
        for stack in &plan.stacks {
            let changes = diff(stack, stack);
            assert!(changes.removed.is_empty() && changes.added.is_empty());
        }
    }
}

#[test]
fn what_is_lost_and_gained_makes_the_new_from_the_old() {
    let mut changed = 0;
    for seed in 0..100 {
        let Some(plans) = grown(&any(seed)) else {
            continue;
        };
        for [before, after] in common(&plans) {
            let changes = diff(before, after);
            let here = |op: &StackOp<'_>| {
                op.interface()
                    .is_none_or(|id| id.index() < before.interfaces.len())
            };
            let mut has: HashSet<StackOp<'_>> = before.ops().into_iter().collect();
            for op in &changes.removed {
                assert!(has.remove(op), "seed {seed}: {op:?} was not there");
            }
            for op in &changes.added {
                assert!(has.insert(*op), "seed {seed}: {op:?} was there already");
            }
            // A value that is replaced is not taken away first.
            let replaced = |op: &StackOp<'_>| op.is_replaced() && !after.ops().contains(op);
            has.retain(|op| !replaced(op));
            let expected: HashSet<_> = after.ops().into_iter().filter(here).collect();
            assert_eq!(has, expected, "seed {seed}");
            changed += changes.removed.len() + changes.added.len();
        }
    }
    assert!(changed > 100, "only {changed} changes in all");
}

#[test]
fn routes_go_before_addresses_and_come_after_them() {
    let mut stack = shape::line(3).plan().unwrap().stacks[0].clone();
    let before = stack.clone();
    let interface = &mut stack.interfaces[0];
    (interface.routes, interface.addresses) = (Vec::new(), Vec::new());
    // The routes of groups are lost with the last address as well.
    let is_route = |op: &StackOp<'_>| matches!(op, StackOp::Route(..) | StackOp::GroupRoutes(_));
    let kinds = |ops: &[StackOp<'_>]| -> Vec<bool> { ops.iter().map(is_route).collect() };
    let lost = kinds(&diff(&before, &stack).removed);
    assert!(lost[0] && lost.is_sorted_by(|a, b| a >= b), "{lost:?}");
    let gained = kinds(&diff(&stack, &before).added);
    assert!(!gained[0] && gained.is_sorted(), "{gained:?}");
}

#[test]
fn values_are_replaced_and_filters_are_taken_away() {
    let mut topology = Topology::new();
    topology.node(
        NodeSpec::new("a")
            .drop_inbound_tcp([22])
            .sysctl("net.ipv4.ip_forward", 1),
    );
    let node = topology.node("b");
    topology.link(topology.find("a").unwrap(), node);
    let before = topology.plan().unwrap().stacks[0].clone();
    let mut after = before.clone();
    after.own.packet_filter = Default::default();
    after.own.sysctls[0].value = "0".into();
    after.interfaces[0].mtu = 9000;
    let changes = diff(&before, &after);
    assert_eq!(
        changes.removed,
        [StackOp::PacketFilter(&before.own.packet_filter)]
    );
    assert_eq!(
        changes.added,
        [
            StackOp::Sysctl(&after.own.sysctls[0]),
            StackOp::Mtu(InterfaceId::new(0), 9000)
        ]
    );
}
