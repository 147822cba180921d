//! The nodes of a lab on their way into life.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Lab;
use super::birth::{self, Born, Expected, Life};
use super::error::Result;
use super::network::{Builder, Places};
use super::node::Stack;
use crate::sandbox::birth::Birth;
use crate::topology::{Owner, Plan};

/// Births that were asked for all at once, and are heard of one after the other.
pub(super) struct Births {
    /// What each new node is to be.
    pub(super) births: Vec<Birth>,
    /// The first process of each new node, once it is ready.
    pub(super) born: Vec<Option<Life>>,
    /// The network stacks that are there, old ones included, by number of the stack.
    pub(super) stacks: Vec<Option<Arc<Stack>>>,
    /// Those who are not ready: which new node, and its stack if it is its own.
    expected: VecDeque<(usize, Option<usize>, Expected)>,
}

impl Births {
    /// Asks for all nodes from the `first` on, and for the pods that they need.
    pub(super) fn order(lab: &mut Lab, first: usize) -> Result<Births> {
        // In a plan that has grown, stacks have other numbers than before; whose they are tells.
        let known = lab.stacks.drain(..).map(|stack| (stack.owner(), stack));
        let mut known: HashMap<Owner, Arc<Stack>> = known.collect();
        let plan = &lab.plan;
        let mut stacks: Vec<Option<Arc<Stack>>> = plan
            .stacks
            .iter()
            .map(|stack| known.remove(&stack.owner))
            .collect();
        let is_pod = |stack: usize| matches!(plan.stacks[stack].owner, Owner::Pod(_));
        let mut pods = Vec::new();
        for stack in (0..stacks.len()).filter(|stack| stacks[*stack].is_none() && is_pod(*stack)) {
            pods.push((
                stack,
                birth::order(&birth::of_pod(&lab.topology, plan, stack), None)?,
            ));
        }
        let new = &plan.nodes[first..];
        let mut births = Vec::with_capacity(new.len());
        let mut expected = VecDeque::with_capacity(new.len());
        for (index, node) in new.iter().enumerate() {
            let birth = birth::of_node(&lab.topology, plan, node, &lab.shared.place)?;
            // At once: the init is at it while the next one's files are written.
            if !is_pod(node.stack) {
                expected.push_back((index, Some(node.stack), birth::order(&birth, None)?));
            }
            births.push(birth);
        }
        for (stack, pod) in pods {
            let Born { life, netns } = pod.wait()?;
            stacks[stack] = Some(Arc::new(Stack::new(plan, stack, netns, Some(life))));
        }
        for (index, node) in new
            .iter()
            .enumerate()
            .filter(|(_, node)| is_pod(node.stack))
        {
            let joined = stacks[node.stack].as_ref().and_then(|stack| stack.pidfd());
            expected.push_back((index, None, birth::order(&births[index], joined)?));
        }
        let born = births.iter().map(|_: &Birth| None).collect();
        Ok(Births {
            births,
            born,
            stacks,
            expected,
        })
    }

    /// Waits for some of them; false if those were the last.
    pub(super) fn next(&mut self, plan: &Plan, count: usize) -> Result<bool> {
        for (index, stack, expected) in self.expected.drain(..count.min(self.expected.len())) {
            let Born { life, netns } = expected.wait()?;
            self.born[index] = Some(life);
            if let Some(stack) = stack {
                self.stacks[stack] = Some(Arc::new(Stack::new(plan, stack, netns, None)));
            }
        }
        Ok(!self.expected.is_empty())
    }

    /// Builds in the namespaces that are there.
    pub(super) fn builder<'a>(&'a self, lab: &'a Lab) -> Result<Builder<'a>> {
        let netns = |stack: &'a Option<Arc<Stack>>| stack.as_ref().and_then(|stack| stack.netns());
        Builder::new(
            &lab.plan,
            Places::of(lab.hub.as_deref(), self.stacks.iter().map(netns)),
        )
    }
}
