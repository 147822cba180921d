//! From one plan of a running lab to the next, and back again if that fails half-way.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};

use crate::kernel::netlink::{Batch, Netlink};
use crate::lab::bring_up::builder::{Namespaces, NetworkBuilder, bridge_request};
use crate::lab::bring_up::new_parts::NewParts;
use crate::lab::bring_up::sysctls;
use crate::lab::error::Result;
use crate::lab::lab::{FailedPlan, Lab, Snapshot};
use crate::lab::link::link::Link;
use crate::lab::stack::device::end_device;
use crate::topology::plan::{InterfaceId, NetnsId, Plan, StackId, StackPlan, Sysctl};
use crate::topology::{Owner, Topology};

/// A change of a running lab: the lab as it was, and what is new.
pub(crate) struct Change {
    before: Snapshot,
    new: NewParts,
    /// Sysctls of stacks that were written over, with their values before.
    sysctls: Vec<(Owner, Sysctl)>,
}

impl Change {
    /// Begins a change: the lab has another topology and plan from now on.
    pub(crate) fn begin(lab: &mut Lab, topology: Topology, plan: Plan) -> Self {
        let new = NewParts::since(lab.plan(), &plan);
        Self {
            before: lab.change_plan(topology, plan),
            new,
            sysctls: Vec::new(),
        }
    }

    pub(crate) fn new_parts(&self) -> &NewParts {
        &self.new
    }

    /// Changes in all stacks that were there before what the new plan says otherwise.
    pub(crate) fn follow(&mut self, lab: &mut Lab) -> Result<()> {
        change_names(lab, self.before.plan())?;
        let old: HashMap<Owner, &StackPlan> = by_owner(self.before.plan());
        for id in lab.plan().stack_ids() {
            let stack = &lab.plan()[id];
            // A new stack was made by the plan, and has nothing to change.
            let Some(old) = old.get(&stack.owner) else {
                continue;
            };
            // A removed node stays in the plan, with the numbers of all others.
            if lab.stack(id).netns().is_none() {
                continue;
            }
            for sysctl in stack
                .own
                .sysctls
                .iter()
                .filter(|it| !old.own.sysctls.contains(it))
            {
                // The value before is for the case that a later step fails.
                if let Some(value) = sysctls::read(lab, id, &sysctl.path) {
                    let path = sysctl.path.clone();
                    self.sysctls.push((stack.owner, Sysctl { path, value }));
                }
                sysctls::write(lab, id, sysctl)?;
            }
            change_stack(lab, id, old, &self.new)?;
        }
        lab.refresh()?;
        lab.carry_nats()?;
        lab.watch_firewalls()?;
        lab.follow_port_mapping()
    }

    /// Undoes what was done of a change that failed.
    ///
    /// Errors are left: what cannot be undone was not done, or is gone with its node. The test gets
    /// the error of the change.
    pub(crate) fn take_back(self, lab: &mut Lab) {
        let Self {
            before,
            new,
            sysctls,
        } = self;
        let failed = lab.restore(before);
        for node in &failed.nodes {
            node.programs().expect_all();
            node.end_threads();
            node.kill();
        }
        delete_new(lab, &failed, &new);
        // Errors are left from here on, for the reason above.
        let _ = change_names(lab, &failed.plan);
        let changed = by_owner(&failed.plan);
        for id in lab.plan().stack_ids() {
            let stack = &lab.plan()[id];
            let Some(changed) = changed.get(&stack.owner) else {
                continue;
            };
            let _ = change_stack(lab, id, changed, &NewParts::nothing(lab.plan()));
            for (_, sysctl) in sysctls.iter().filter(|(owner, _)| *owner == stack.owner) {
                let _ = sysctls::write(lab, id, sysctl);
            }
        }
        let _ = lab.refresh();
        let _ = lab.follow_port_mapping();
    }
}

/// Finds the ways that are left when something was taken away.
pub(crate) fn reroute(lab: &mut Lab) -> Result<()> {
    let topology = lab.topology().clone();
    let plan = lab.plan().follow(&topology, &lab.removed_links(), None)?;
    Change::begin(lab, topology, plan).follow(lab)
}

/// Brings a stack from the settings that it had to those of the plan.
fn change_stack(lab: &Lab, id: StackId, before: &StackPlan, new: &NewParts) -> Result<()> {
    // A machine without power gets all that is planned by then when it starts again.
    if !lab.stack(id).has_power() {
        return Ok(());
    }
    let now = &lab.plan()[id];
    let elsewhere = |interface: InterfaceId| {
        // An interface that is not there has taken its routes and neighbours along. One that is
        // down gets everything when it comes up again; a new one has everything already.
        let Some(link) = now.interfaces.get(interface.index()).map(|it| it.link) else {
            return true;
        };
        let gone = |link: &Link| link.is_removed() || link.is_down_at_nodes();
        new.has_cable(link) || lab.all_links().get(link.index()).is_none_or(gone)
    };
    let mut builder = NetworkBuilder::new(lab.plan(), Namespaces::of_lab(lab))?;
    let others = builder.change_settings(id, before, &elsewhere);
    if !builder.batch.is_empty() {
        builder.execute_in_stack(id)?;
    }
    let stack = lab.stack(id);
    match stack.netns() {
        Some(netns) => {
            let mut filter = stack.packet_filter().lock();
            others.finish(netns.as_fd(), &mut filter, &lab.plan().whose(id))
        }
        None => Ok(()),
    }
}

/// Tells nodes that were there before the names that they find now.
fn change_names(lab: &Lab, before: &Plan) -> Result<()> {
    let plan = lab.plan();
    // Nothing to write for a change that adds no name, such as a removal.
    if plan.has_names_of(before) {
        return Ok(());
    }
    let nodes = before.nodes.iter().zip(&plan.nodes).zip(lab.all_nodes());
    for ((old, now), _) in nodes.filter(|(_, node)| !node.is_removed()) {
        lab.dir().renew_names([before, plan], [old, now])?;
    }
    Ok(())
}

/// Deletes the cables and bridges of a failed plan that the lab's plan has not.
fn delete_new(lab: &Lab, failed: &FailedPlan, new: &NewParts) {
    let plan = &failed.plan;
    let hub = failed.hub.as_deref();
    let known = |stack: StackId| {
        // Stacks of the two plans have different numbers. Their owners are the same.
        let owner = plan[stack].owner;
        let mut stacks = lab.stacks().iter();
        let found = stacks.find(|stack| stack.owner() == owner)?;
        found.netns()
    };
    let cables = new.cables().map(|link| &plan[link]);
    for cable in cables.chain(new.trunks(plan)) {
        for end in &cable.ends {
            let netns = match end.netns {
                NetnsId::Hub => hub,
                NetnsId::Stack(stack) => known(stack),
            };
            delete(netns, |batch| batch.delete_link(end_device(end)));
        }
    }
    // Bridges go after the cables: a bridge that goes takes no port along.
    for planned in new.bridges(plan) {
        let device = bridge_request(planned).device;
        delete(hub, |batch| batch.delete_link(device));
    }
}

fn delete(netns: Option<&OwnedFd>, what: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    what(&mut batch);
    if let Some(Ok(mut netlink)) = netns.map(|netns| Netlink::open_in(netns.as_fd())) {
        // The interface may never have been made, or be gone with its other end.
        let _ = netlink.execute(batch);
    }
}

fn by_owner(plan: &Plan) -> HashMap<Owner, &StackPlan> {
    plan.stacks
        .iter()
        .map(|stack| (stack.owner, stack))
        .collect()
}
