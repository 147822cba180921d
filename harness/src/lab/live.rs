//! What changes while a lab runs.

use super::Lab;
use super::error::{LabError, Result};
use super::network::{Builder, New};
use super::start::places;
use crate::topology::plan::{Place, Plan, StackPlan};
use crate::topology::{LinkId, NodeId, SwitchId, Topology};

impl Lab {
    /// Adds nodes, switches, pods and links: whatever `edit` adds to the topology is there and ready when this returns.
    /// What exists keeps its addresses; all nodes learn the new names, and the routes.
    ///
    /// ```no_run
    /// # use snowglobe::topology::shape;
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// let mut lab = shape::star(3).start()?;
    /// let late = lab.grow(|topology| {
    ///     let late = topology.node("late");
    ///     let lan = topology.find_switch("lan").unwrap();
    ///     topology.plug(late, lan);
    ///     late
    /// })?;
    /// println!("{}", lab[late].ip());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The new topology is wrong, or changes what exists, or the kernel refuses something; the lab is then best dropped.
    pub fn grow<T>(&mut self, edit: impl FnOnce(&mut Topology) -> T) -> Result<T> {
        let mut topology = self.topology.clone();
        let value = edit(&mut topology);
        let plan = self.plan.grow(&topology)?;
        if plan.nodes.len() < self.nodes.len() || plan.cables.len() < self.links.len() {
            return Err(LabError::other(
                "a lab can grow only by what is added to its topology",
            ));
        }
        let new = New {
            switches: self.plan.switches.len()..plan.switches.len(),
            cables: self.links.len()..plan.cables.len(),
            running: self
                .plan
                .switches
                .iter()
                .map(|switch| switch.bridges.len())
                .collect(),
        };
        self.shared.place.write_names(&plan)?;
        let old = std::mem::replace(&mut self.plan, plan);
        self.topology = topology;
        self.complete(&new)?;
        self.update_stacks(&old, &new)?;
        self.refresh_links();
        Ok(value)
    }

    /// Takes a node and its links away. Its name still resolves, to where nobody is.
    pub fn remove_node(&mut self, id: NodeId) -> Result<()> {
        let node = &self.nodes[id.index()];
        node.report_surprises();
        node.stop_runtime();
        node.running().iter().for_each(|running| running.expect());
        let alone = self.topology.pod_of(id).is_none();
        if alone {
            for link in self
                .links
                .iter()
                .filter(|link| self.topology.ends(link.id()).contains(&id.into()))
            {
                link.remove()?;
            }
            node.stack().remove();
        } else if !node.birth.own_pids {
            node.crash()?;
        }
        node.kill();
        node.mark_removed();
        Ok(())
    }

    /// Takes a cable away. Routes that led over it stay, and lead nowhere.
    pub fn remove_link(&mut self, id: LinkId) -> Result<()> {
        self.links[id.index()].remove()
    }

    /// Plugs a cable out of its switch and into another one. The node at its other end keeps its addresses, and needs some that
    /// fit there to be understood.
    ///
    /// # Errors
    /// The cable does not lead from a node to a switch.
    pub fn move_link(&mut self, id: LinkId, to: SwitchId) -> Result<()> {
        let link = &mut self.links[id.index()];
        let Some(port) = link.port() else {
            let sentence = format!(
                "link `{}` does not lead from a node to a switch; only such a cable can be moved",
                link.name()
            );
            return Err(LabError::other(sentence));
        };
        let Some(bridge) = self.plan.switches[to.index()].bridges.last() else {
            return Err(LabError::other("the switch has no bridge"));
        };
        link.replug(port, &bridge.name)
    }

    /// Sysctls, neighbours and routes that the old stacks did not have.
    fn update_stacks(&self, old: &Plan, new: &New) -> Result<()> {
        for (index, stack) in self.plan.stacks.iter().enumerate() {
            let Some(before) = old.stacks.iter().find(|before| before.owner == stack.owner) else {
                continue;
            };
            if self.stacks[index].netns().is_none() {
                continue;
            }
            for sysctl in stack
                .sysctls
                .iter()
                .filter(|sysctl| !before.sysctls.contains(sysctl))
            {
                self.set_in_stack(index, sysctl)?;
            }
            self.update_routes(index, before, stack, new)?;
        }
        Ok(())
    }

    fn update_routes(
        &self,
        index: usize,
        before: &StackPlan,
        now: &StackPlan,
        new: &New,
    ) -> Result<()> {
        let mut builder = Builder::new(&self.plan, places(self))?;
        // Those over new interfaces are there already.
        let fresh = |interface: usize| new.cables.contains(&now.interfaces[interface].link.index());
        builder.exchange_routes(index, before, &fresh);
        if builder.batch.is_empty() {
            return Ok(());
        }
        let mut netlink = builder.open_stack(index)?;
        let batch = std::mem::take(&mut builder.batch);
        netlink
            .execute(batch)
            .map_err(|e| builder.explain(Place::Stack(index), e))
    }

    fn refresh_links(&mut self) {
        for link in &mut self.links {
            // The numbers are those of the new plan.
            let ends = [0, 1].map(|which| {
                let planned = &self.plan.cables[link.id().index()].ends[which];
                match planned.place {
                    Place::Stack(stack) => planned.interface.map(|interface| (stack, interface)),
                    Place::Hub => None,
                }
            });
            link.refresh(ends, &self.plan);
        }
    }
}
