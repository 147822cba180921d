//! The nodes of a lab on their way into life.

use std::collections::{HashMap, VecDeque};
use std::os::fd::AsFd;
use std::sync::Arc;

use crate::lab::Lab;
use crate::lab::bring_up::network::{Builder, Places};
use crate::lab::error::Result;
use crate::lab::first_process::{self as birth, Born, Expected, Life};
use crate::lab::node::node::Stack;
use crate::lab::stack::settings::give_own;
use crate::sandbox::protocol::node::NodeRequest;
use crate::topology::plan::StackId;
use crate::topology::{Owner, Plan};

/// Births that are asked for ahead of time, and heard of one after the other.
pub(crate) struct Births {
    /// What each new node is to be, of those that were asked for.
    pub(crate) births: Vec<NodeRequest>,
    /// The first process of each new node, once it is ready.
    pub(crate) born: Vec<Option<Life>>,
    /// The network stacks that are there, old ones included, by number of the stack.
    pub(crate) stacks: Vec<Option<Arc<Stack>>>,
    /// The number of the first new node.
    first: usize,
    /// Pods that are not ready, by number of the stack.
    pods: HashMap<StackId, Expected>,
    /// Nodes that are not ready: which new node, and its stack if it is its own.
    expected: VecDeque<(usize, Option<StackId>, Expected)>,
}

/// So many nodes are asked for before the first is heard of: enough for the init to have something to do always, and so few that the
/// channel to it is never full, where this would wait for it instead of doing its own part.
const AHEAD: usize = 32;

impl Births {
    /// Asks for the pods that the nodes from the `first` on need, and for the first of these.
    pub(crate) fn order(lab: &mut Lab, first: usize) -> Result<Births> {
        // In a plan that has grown, stacks have other numbers than before; whose they are tells.
        let known = lab.stacks.drain(..).map(|stack| (stack.owner(), stack));
        let mut known: HashMap<Owner, Arc<Stack>> = known.collect();
        let plan = &lab.plan;
        let owners = plan.stacks.iter().map(|stack| stack.owner);
        let stacks: Vec<_> = owners.map(|owner| known.remove(&owner)).collect();
        let mut pods = HashMap::new();
        let missing = |stack: &StackId| stacks[stack.index()].is_none() && is_pod(plan, *stack);
        for stack in plan.stack_ids().filter(missing) {
            let birth = birth::of_pod(&lab.topology, plan, stack);
            pods.insert(stack, birth::order(&birth, None)?);
        }
        let mut births = Births {
            births: Vec::new(),
            born: Vec::new(),
            stacks,
            first,
            pods,
            expected: VecDeque::new(),
        };
        births.order_more(lab)?;
        Ok(births)
    }

    fn order_more(&mut self, lab: &Lab) -> Result<()> {
        let plan = &lab.plan;
        while self.expected.len() < AHEAD
            && let Some(node) = plan.nodes.get(self.first + self.births.len())
        {
            let birth = birth::of_node(&lab.topology, plan, node, &lab.shared.place)?;
            let in_pod = is_pod(plan, node.stack);
            if let Some(pod) = self.pods.remove(&node.stack) {
                self.await_pod(plan, node.stack, pod)?;
            }
            let stack = self.stacks[node.stack.index()].as_ref();
            let joined = stack.and_then(|stack| stack.pidfd()).filter(|_| in_pod);
            let expected = birth::order(&birth, joined)?;
            let own = (!in_pod).then_some(node.stack);
            self.expected.push_back((self.births.len(), own, expected));
            self.births.push(birth);
            self.born.push(None);
        }
        if self.expected.len() < AHEAD {
            // Nobody lives in these.
            for (stack, pod) in std::mem::take(&mut self.pods) {
                self.await_pod(plan, stack, pod)?;
            }
        }
        Ok(())
    }

    fn await_pod(&mut self, plan: &Plan, stack: StackId, pod: Expected) -> Result<()> {
        let Born { life, netns } = pod.wait()?;
        give_own(plan, stack, netns.as_fd())?;
        self.stacks[stack.index()] = Some(Arc::new(Stack::new(plan, stack, netns, Some(life))));
        Ok(())
    }

    /// Waits for some of them; false if those were the last.
    pub(crate) fn next(&mut self, lab: &Lab, count: usize) -> Result<bool> {
        for _ in 0..count {
            let Some((index, stack, expected)) = self.expected.pop_front() else {
                break;
            };
            let Born { life, netns } = expected.wait()?;
            self.born[index] = Some(life);
            if let Some(stack) = stack {
                let plan = &lab.plan;
                give_own(plan, stack, netns.as_fd())?;
                self.stacks[stack.index()] = Some(Arc::new(Stack::new(plan, stack, netns, None)));
            }
            self.order_more(lab)?;
        }
        Ok(!self.expected.is_empty())
    }

    /// Builds in the namespaces that are there.
    pub(crate) fn builder<'a>(&'a self, lab: &'a Lab) -> Result<Builder<'a>> {
        let netns = |stack: &'a Option<Arc<Stack>>| stack.as_ref().and_then(|stack| stack.netns());
        Builder::new(
            &lab.plan,
            Places::of(lab.hub.as_deref(), self.stacks.iter().map(netns)),
        )
    }
}

fn is_pod(plan: &Plan, stack: StackId) -> bool {
    matches!(plan[stack].owner, Owner::Pod(_))
}
