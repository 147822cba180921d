//! Makes what a plan has and a lab does not: the order of bringing up.
//!
//! 1. Nodes are requested of the trial's init, ahead of time.
//! 2. Bridges are made, and stay down.
//! 3. While nodes appear: cables whose two stacks are there are laid, and stacks all of whose
//!    cables are laid get their settings.
//! 4. The lab waits until packets pass the interfaces; then bridges start, and the lab waits for
//!    their ports.
//! 5. Links with a carrier of their own are joined: what new interfaces send by themselves is over.
//! 6. Queues behind crowded switches, captures that the environment asks for, sysctls of
//!    interfaces.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lab::bring_up::addresses::record_addresses;
use crate::lab::bring_up::crowded_switch::{enable_missing_gro, note_gro, without_gro};
use crate::lab::bring_up::new_parts::NewParts;
use crate::lab::bring_up::pending::Pending;
use crate::lab::bring_up::spawn_nodes::NewNodes;
use crate::lab::bring_up::sysctls;
use crate::lab::error::Result;
use crate::lab::lab::Lab;
use crate::lab::link::carrier::active::ActiveCarrier;
use crate::lab::link::carrier::attach::{PendingCarrier, attach_planned, record_carriers};
use crate::lab::link::ends::LinkEnds;
use crate::lab::link::link::Link;
use crate::lab::node::node::{Node, NodeParts};
use crate::lab::services::own::OwnServices;
use crate::lab::stack::namespace::new_namespace;
use crate::topology::LinkId;

/// Number of nodes that are waited for before the next cables are laid. Few, so that both sides
/// have work soon; not one, for each round is a conversation with each namespace.
const TOGETHER: usize = 4;

/// Makes what the plan has and the lab does not.
pub(crate) fn make(lab: &mut Lab, new: &NewParts) -> Result<()> {
    let first = lab.all_nodes().len();
    let mut nodes = NewNodes::request(lab, first)?;
    // Only labs with switches pay for the namespace.
    if lab.hub().is_none() && !lab.plan().switches.is_empty() {
        lab.set_hub(new_namespace("the switches")?);
    }
    // From here on the trial's init and this thread work at the same time.
    let attached = lay_while_nodes_appear(lab, new, &mut nodes)?;
    record_carriers(&attached, lab.plan(), lab.journal());
    record_addresses(lab.plan());
    add_nodes(lab, nodes, first);
    let first_link = lab.all_links().len();
    join_links(lab, attached)?;
    enable_missing_gro(lab)?;
    lab.capture_as_the_environment_says(first_link)?;
    sysctls::write_new(lab, new)?;
    lab.watch_firewalls()
}

/// Starts the services of nodes from `first` on, and runs the commands that these nodes run when
/// they start.
pub(crate) fn run_commands(lab: &Lab, first: usize) -> Result<()> {
    let new = &lab.all_nodes()[first..];
    // All links are there by now, and with them the NATs on their wires.
    lab.place_port_mappers();
    // Commands may use what the services of other nodes give, such as names.
    new.iter().try_for_each(|node| node.start_services())?;
    // When all have started: the client of one node may wait for the server of another.
    new.iter().try_for_each(|node| node.await_services())?;
    new.iter().try_for_each(|node| node.run_commands())
}

/// Lays cables and gives settings while nodes appear, and returns when packets pass. The links with
/// a carrier of their own are attached and not joined.
fn lay_while_nodes_appear(
    lab: &mut Lab,
    new: &NewParts,
    nodes: &mut NewNodes,
) -> Result<BTreeMap<LinkId, PendingCarrier>> {
    let mut pending = Pending::new(lab.plan(), new);
    let mut attached = BTreeMap::new();
    let mut with_gro = Vec::new();
    nodes.builder(lab)?.make_bridges(new)?;
    loop {
        let more = nodes.await_next(lab, TOGETHER)?;
        let ready = pending.take_ready(|stack| nodes.has_stack(stack));
        let (plain, others) = lab.plan().plain(ready.cables);
        let mut builder = nodes.builder(lab)?;
        builder.lay(&plain)?;
        // GRO is set before an interface is up: a frame to everybody may be under way as soon as
        // one is.
        let crowded = without_gro(lab, plain.into_iter());
        builder.enable_gro(&crowded)?;
        with_gro.extend(crowded);
        for link in others {
            let ends = LinkEnds::new(lab.plan(), link, lab.hub(), nodes.stacks());
            let namespace = lab.link_services().wire_namespace();
            attached.insert(link, attach_planned(&ends, namespace)?);
        }
        for (stack, interfaces) in &ready.settled {
            builder.give_settings(*stack, interfaces)?;
        }
        if !more {
            builder.await_ready(pending.touched(), new)?;
            break;
        }
    }
    note_gro(lab, &with_gro);
    Ok(attached)
}

/// Hands the new nodes, which all run, to the lab.
fn add_nodes(lab: &mut Lab, new: NewNodes, first: usize) {
    let (stacks, started) = new.into_parts();
    lab.set_stacks(stacks);
    for (number, (request, first_process)) in (first..).zip(started) {
        let plan = &lab.plan().nodes[number];
        let stack = Arc::clone(lab.stack(plan.stack));
        let services = lab.node_services().clone();
        let mut own = OwnServices::of(plan, lab.plan(), &stack, lab.journal());
        own.disks = lab.dir().disks_of(&plan.name);
        let parts = NodeParts {
            request,
            root_disk: lab.dir().disk_path(&plan.name),
            first_process,
            stack,
            services,
            own,
        };
        let node = Node::new(lab.topology(), plan, parts);
        lab.add_node(node);
    }
}

/// Joins the ends of the new links, and hands the links to the lab.
fn join_links(lab: &mut Lab, mut attached: BTreeMap<LinkId, PendingCarrier>) -> Result<()> {
    // All stacks are there by now.
    let stacks: Vec<_> = lab.stacks().iter().cloned().map(Some).collect();
    let new = lab.all_links().len()..lab.plan().cables.len();
    for link in new.map(LinkId::new) {
        let ends = LinkEnds::new(lab.plan(), link, lab.hub(), &stacks);
        let carrier = match (attached.remove(&link), ends.cable().emulation.as_deref()) {
            (Some(pending), Some(emulation)) => pending.join_new(&ends, &emulation.impairments)?,
            (None, _) | (Some(_), None) => ActiveCarrier::Veth,
        };
        lab.add_link(Link::new(ends, carrier, lab.link_services().clone()));
    }
    Ok(())
}
