//! From one plan of a running lab to the next, and back again if that fails half-way.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::kernel::netlink::{Batch, Netlink};
use crate::lab::Lab;
use crate::lab::bring_up::network::{Builder, New, bridge, device};
use crate::lab::bring_up::start::places;
use crate::lab::error::Result;
use crate::lab::node::node::Stack;
use crate::topology::plan::{InterfaceId, NetnsId, Plan, StackId, StackPlan, Sysctl};
use crate::topology::{LinkId, Owner, Topology};

/// A lab as it was.
pub(crate) struct Before {
    topology: Topology,
    plan: Plan,
    stacks: Vec<Arc<Stack>>,
    hub: Option<Arc<OwnedFd>>,
    nodes: usize,
    /// Values that were written over, and whose.
    sysctls: Vec<(Owner, Sysctl)>,
}

impl Before {
    pub(crate) fn of(lab: &Lab) -> Before {
        Before {
            topology: lab.topology.clone(),
            plan: lab.plan.clone(),
            stacks: lab.stacks.clone(),
            hub: lab.hub.clone(),
            nodes: lab.nodes.len(),
            sysctls: Vec::new(),
        }
    }
}

impl Lab {
    /// The cables that are gone.
    pub(crate) fn removed(&self) -> BTreeSet<LinkId> {
        let gone = self.links.iter().filter(|link| link.is_removed());
        gone.map(|link| link.id()).collect()
    }

    /// Finds the ways that are left when something was taken away.
    pub(crate) fn reroute(&mut self) -> Result<()> {
        let mut before = Before::of(self);
        self.plan = self.plan.follow(&self.topology, &self.removed(), None)?;
        self.follow(&mut before, &New::nothing(&self.plan))
    }

    /// Changes in all stacks that were there before what the new plan says otherwise.
    pub(crate) fn follow(&mut self, before: &mut Before, new: &New) -> Result<()> {
        self.exchange_names(&before.plan)?;
        let old: HashMap<Owner, &StackPlan> = by_owner(&before.plan);
        for id in self.plan.stack_ids() {
            let stack = &self.plan[id];
            let Some(old) = old.get(&stack.owner) else {
                continue;
            };
            if self.stacks[id.index()].netns().is_none() {
                continue;
            }
            for sysctl in stack.sysctls.iter().filter(|it| !old.sysctls.contains(it)) {
                if let Some(value) = self.value_in_stack(id, &sysctl.path) {
                    let path = sysctl.path.clone();
                    before.sysctls.push((stack.owner, Sysctl { path, value }));
                }
                self.set_in_stack(id, sysctl)?;
            }
            self.exchange(id, old, new)?;
        }
        self.refresh();
        Ok(())
    }

    fn exchange(&self, stack: StackId, before: &StackPlan, new: &New) -> Result<()> {
        let now = &self.plan[stack];
        let elsewhere = |interface: InterfaceId| {
            // One that is not there takes its routes and neighbours with it.
            let Some(link) = now
                .interfaces
                .get(interface.index())
                .map(|it| it.link.index())
            else {
                return true;
            };
            let gone = |link: &crate::lab::Link| link.is_removed() || link.is_down_at_nodes();
            new.cables.contains(&link) || self.links.get(link).is_none_or(gone)
        };
        let mut builder = Builder::new(&self.plan, places(self))?;
        let others = builder.exchange(stack, before, &elsewhere);
        if !builder.batch.is_empty() {
            let mut netlink = builder.open_stack(stack)?;
            let batch = mem::take(&mut builder.batch);
            netlink
                .execute(batch)
                .map_err(|e| builder.explain(NetnsId::Stack(stack), e))?;
        }
        match self.stacks[stack.index()].netns() {
            Some(netns) => others.finish(netns.as_fd(), &self.plan.whose(stack)),
            None => Ok(()),
        }
    }

    /// Tells nodes that were there before the names that they find now.
    fn exchange_names(&self, before: &Plan) -> Result<()> {
        if before.hosts == self.plan.hosts {
            return Ok(());
        }
        let nodes = before.nodes.iter().zip(&self.plan.nodes).zip(&self.nodes);
        for ((old, now), _) in nodes.filter(|(_, node)| !node.is_removed()) {
            let (old, new) = (before.hosts_of(old.stack), self.plan.hosts_of(now.stack));
            self.shared.place.renew_names(now, &old, &new)?;
        }
        Ok(())
    }

    fn refresh(&mut self) {
        for link in &mut self.links {
            link.refresh(&self.plan);
        }
        for (stack, plan) in self.stacks.iter().zip(&self.plan.stacks) {
            stack.refresh(plan);
        }
    }

    /// Undoes what was done of a change that failed. Whatever cannot be undone was not done, or is gone with its node.
    pub(crate) fn take_back(&mut self, before: Before, new: &New) {
        for node in self.nodes.split_off(before.nodes) {
            node.running().iter().for_each(|running| running.expect());
            node.stop_runtime();
            node.kill();
        }
        let failed = mem::replace(&mut self.plan, before.plan);
        self.topology = before.topology;
        self.stacks = before.stacks;
        self.links.truncate(self.plan.cables.len());
        self.relieved
            .retain(|id| id.index() < self.plan.cables.len());
        self.unlay(&failed, new);
        self.hub = before.hub;
        let _ = self.exchange_names(&failed);
        let changed = by_owner(&failed);
        for id in self.plan.stack_ids() {
            let stack = &self.plan[id];
            let Some(changed) = changed.get(&stack.owner) else {
                continue;
            };
            let _ = self.exchange(id, changed, &New::nothing(&self.plan));
            for (_, sysctl) in before.sysctls.iter().filter(|(it, _)| *it == stack.owner) {
                let _ = self.set_in_stack(id, sysctl);
            }
        }
        self.refresh();
    }

    /// Takes away the cables and bridges that a plan has and ours has not.
    fn unlay(&self, failed: &Plan, new: &New) {
        let known = |stack: StackId| {
            let owner = failed[stack].owner;
            let mut stacks = self.stacks.iter();
            let found = stacks.find(|stack| stack.owner() == owner)?;
            found.netns()
        };
        let cables = &failed.cables[new.cables.clone()];
        for cable in cables.iter().chain(new.trunks(failed)) {
            for end in &cable.ends {
                let netns = match end.netns {
                    NetnsId::Hub => self.hub.as_deref(),
                    NetnsId::Stack(stack) => known(stack),
                };
                delete(netns, |batch| batch.delete_link(device(end)));
            }
        }
        for planned in new.bridges(failed) {
            let device = bridge(planned).device;
            delete(self.hub.as_deref(), |batch| batch.delete_link(device));
        }
    }
}

/// It may be gone already.
fn delete(netns: Option<&OwnedFd>, what: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    what(&mut batch);
    if let Some(Ok(mut netlink)) = netns.map(|netns| Netlink::open_in(netns.as_fd())) {
        let _ = netlink.execute(batch);
    }
}

fn by_owner(plan: &Plan) -> HashMap<Owner, &StackPlan> {
    plan.stacks
        .iter()
        .map(|stack| (stack.owner, stack))
        .collect()
}
