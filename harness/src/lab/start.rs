//! `topology.start()`.

use std::collections::HashMap;
use std::sync::Arc;

use super::Lab;
use super::birth::{self, Born, Expected};
use super::error::{LabError, Result};
use super::link::Link;
use super::network::{self, Builder, New, Places};
use super::node::{Node, Stack};
use super::shared::Shared;
use crate::kernel::process::raise_open_files;
use crate::topology::plan::NodePlan;
use crate::topology::{Limits, Owner, Topology};

impl Topology {
    /// Brings it to life: makes the nodes, lays the cables, gives the addresses, runs the nodes' commands, and returns when
    /// packets pass and those commands are ready.
    ///
    /// # Errors
    /// The topology is wrong (see [`validate`](Topology::validate)), needs more than this machine allows, or the kernel refuses
    /// something: the error names the node or link. Nothing is left then.
    ///
    /// ```no_run
    /// use snowglobe::topology::shape;
    ///
    /// #[snowglobe::test]
    /// fn a_pair() -> snowglobe::TestResult {
    ///     let lab = shape::pair().start()?;
    ///     assert_eq!(lab.nodes().count(), 2);
    ///     Ok(())
    /// }
    /// ```
    pub fn start(&self) -> Result<Lab> {
        let plan = self.plan()?;
        self.check_limits(&limits())?;
        let shared = Arc::new(Shared::new()?);
        shared.place.write_names(&plan)?;
        let hub = match plan.switches.is_empty() {
            true => None,
            false => Some(Arc::new(network::new_hub()?)),
        };
        let mut lab = Lab {
            topology: self.clone(),
            plan,
            nodes: Vec::new(),
            links: Vec::new(),
            stacks: Vec::new(),
            hub,
            shared,
        };
        let new = lab.everything();
        lab.complete(&new)?;
        Ok(lab)
    }
}

/// What this machine allows, as far as it can be known beforehand.
fn limits() -> Limits {
    let sysctl = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse().ok();
    let most = |kind: &str| sysctl(&format!("/proc/sys/user/max_{kind}_namespaces"));
    let hard = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    Limits {
        net_namespaces: most("net"),
        pid_namespaces: most("pid"),
        mount_namespaces: most("mnt"),
        processes: sysctl("/proc/sys/kernel/pid_max"),
        descriptors: hard.ok().map(|(_, hard)| hard),
    }
}

impl Lab {
    fn everything(&self) -> New {
        New {
            switches: 0..self.plan.switches.len(),
            cables: 0..self.plan.cables.len(),
            running: Vec::new(),
        }
    }

    /// Makes what the plan has and the lab does not.
    pub(super) fn complete(&mut self, new: &New) -> Result<()> {
        // Three for each node, and some for what the test does itself.
        let wanted = 3 * self.plan.nodes.len() as u64 + self.plan.stacks.len() as u64 + 512;
        let _ = raise_open_files(wanted);
        let first = self.nodes.len();
        self.bear(first)?;
        let places = Places::of(
            self.hub.as_deref(),
            self.stacks.iter().map(|stack| stack.netns()),
        );
        Builder::new(&self.plan, places)?.build(new)?;
        for index in self.links.len()..self.plan.cables.len() {
            self.links.push(Link::new(self, index));
        }
        self.late_sysctls(new)?;
        for node in &self.nodes[first..] {
            node.run_commands()?;
        }
        Ok(())
    }

    /// Asks for all nodes from the `first` on, and for the pods that they need.
    fn bear(&mut self, first: usize) -> Result<()> {
        let plan = &self.plan;
        // In a plan that has grown, stacks have other numbers than before; whose they are tells.
        let mut known: HashMap<Owner, Arc<Stack>> = self
            .stacks
            .drain(..)
            .map(|stack| (stack.owner(), stack))
            .collect();
        let mut stacks: Vec<Option<Arc<Stack>>> = plan
            .stacks
            .iter()
            .map(|stack| known.remove(&stack.owner))
            .collect();
        let alone = |node: &&NodePlan| matches!(plan.stacks[node.stack].owner, Owner::Node(_));
        let mut pods: Vec<(usize, Expected)> = Vec::new();
        for (stack, known) in stacks.iter().enumerate() {
            if known.is_none() && matches!(plan.stacks[stack].owner, Owner::Pod(_)) {
                pods.push((
                    stack,
                    birth::order(&birth::of_pod(&self.topology, plan, stack), None)?,
                ));
            }
        }
        let mut births = Vec::new();
        let mut expected: Vec<(usize, Expected)> = Vec::new();
        for node in &plan.nodes[first..] {
            births.push(birth::of_node(
                &self.topology,
                plan,
                node,
                &self.shared.place,
            )?);
        }
        for node in plan.nodes[first..].iter().filter(alone) {
            expected.push((
                node.stack,
                birth::order(&births[node.node.index() - first], None)?,
            ));
        }
        for (stack, pod) in pods {
            let Born { life, netns } = pod.wait()?;
            stacks[stack] = Some(Arc::new(Stack::new(plan, stack, netns, Some(life))));
        }
        let mut containers = Vec::new();
        for node in plan.nodes[first..].iter().filter(|node| !alone(node)) {
            let joined = stacks[node.stack].as_ref().and_then(|stack| stack.pidfd());
            let expected = birth::order(&births[node.node.index() - first], joined)?;
            containers.push(expected);
        }
        let mut lives = Vec::with_capacity(births.len());
        for (stack, node) in expected {
            let Born { life, netns } = node.wait()?;
            stacks[stack] = Some(Arc::new(Stack::new(plan, stack, netns, None)));
            lives.push(life);
        }
        let mut lives = lives.into_iter();
        let mut containers = containers.into_iter();
        for (node, birth) in plan.nodes[first..].iter().zip(births) {
            let life = match alone(&node) {
                true => lives.next(),
                false => containers
                    .next()
                    .map(Expected::wait)
                    .transpose()?
                    .map(|born| born.life),
            };
            let (Some(life), Some(stack)) = (life, &stacks[node.stack]) else {
                return Err(LabError::other(format!(
                    "node `{}` was not made",
                    node.name
                )));
            };
            self.nodes.push(Node::new(
                &self.topology,
                node,
                birth,
                life,
                Arc::clone(stack),
                &self.shared,
            ));
        }
        self.stacks = stacks.into_iter().flatten().collect();
        Ok(())
    }

    fn late_sysctls(&self, new: &New) -> Result<()> {
        let touched = |stack: usize| {
            self.plan.stacks[stack]
                .interfaces
                .iter()
                .any(|interface| new.cables.contains(&interface.link.index()))
        };
        for (index, stack) in self
            .plan
            .stacks
            .iter()
            .enumerate()
            .filter(|(index, _)| touched(*index))
        {
            for sysctl in &stack.late_sysctls {
                self.set_in_stack(index, sysctl)?;
            }
        }
        Ok(())
    }

    pub(super) fn set_in_stack(
        &self,
        stack: usize,
        sysctl: &crate::topology::plan::Sysctl,
    ) -> Result<()> {
        let members = self
            .nodes
            .iter()
            .filter(|node| Arc::ptr_eq(node.stack(), &self.stacks[stack]));
        let Some(node) = members.into_iter().next() else {
            return Ok(());
        };
        node.set(sysctl)
    }
}

/// The network namespaces of a lab that is there.
pub(super) fn places(lab: &Lab) -> Places<'_> {
    Places::of(
        lab.hub.as_deref(),
        lab.stacks.iter().map(|stack| stack.netns()),
    )
}
