//! The nodes of a lab on their way into life.
//!
//! A node takes the trial's init about a millisecond, most of it for the network namespace (0.4 to
//! 0.5 ms, measured for this project, 2026-08). So nodes are requested ahead of time, and the lab
//! does its own part while the init is at the next ones.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::lab::bring_up::builder::{Namespaces, NetworkBuilder};
use crate::lab::bring_up::node_request;
use crate::lab::error::Result;
use crate::lab::first_process::{self, FirstProcessHandle, PendingNode, StartedNode};
use crate::lab::lab::Lab;
use crate::lab::stack::settings::give_own;
use crate::lab::stack::stack::Stack;
use crate::sandbox::protocol::node::NodeRequest;
use crate::topology::plan::StackId;
use crate::topology::{Owner, Plan};

/// The new nodes of a lab: those that were requested, and those that are there.
pub(crate) struct NewNodes {
    /// The requests so far, in the order of the plan.
    requests: Vec<NodeRequest>,
    /// The first process of each requested node, once it runs.
    started: Vec<Option<FirstProcessHandle>>,
    /// The stacks that are there, old ones included, in the order of the plan.
    stacks: Vec<Option<Arc<Stack>>>,
    /// Number of the first new node in the plan.
    first: usize,
    /// Pods that were requested and are not waited for yet.
    pods: HashMap<StackId, PendingNode>,
    /// Nodes that were requested and are not waited for yet.
    pending: VecDeque<PendingNewNode>,
}

/// A node that was requested and is not waited for yet.
struct PendingNewNode {
    /// Number among the new nodes.
    index: usize,
    /// The stack that comes with the node; nothing for a container, whose pod has the stack.
    own_stack: Option<StackId>,
    node: PendingNode,
}

/// Number of nodes that are requested ahead: enough for the init to have always something to do,
/// and so few that the channel to the init is never full. A full channel would make this side wait.
const AHEAD: usize = 32;

impl NewNodes {
    /// Requests the pods that the nodes from `first` on need, and the first of these nodes.
    pub(crate) fn request(lab: &mut Lab, first: usize) -> Result<Self> {
        // In a plan that has grown, stacks have other numbers than before. Their owners are the
        // same.
        let known = lab.take_stacks().into_iter();
        let mut known: HashMap<Owner, Arc<Stack>> =
            known.map(|stack| (stack.owner(), stack)).collect();
        let plan = lab.plan();
        let owners = plan.stacks.iter().map(|stack| stack.owner);
        let stacks: Vec<_> = owners.map(|owner| known.remove(&owner)).collect();
        let mut pods = HashMap::new();
        let missing = |stack: &StackId| stacks[stack.index()].is_none() && is_pod(plan, *stack);
        for stack in plan.stack_ids().filter(missing) {
            let request = node_request::for_pod(lab.topology(), plan, stack);
            pods.insert(stack, first_process::request(&request, None)?);
        }
        let mut new = Self {
            requests: Vec::new(),
            started: Vec::new(),
            stacks,
            first,
            pods,
            pending: VecDeque::new(),
        };
        new.request_more(lab)?;
        Ok(new)
    }

    fn request_more(&mut self, lab: &Lab) -> Result<()> {
        let plan = lab.plan();
        while self.pending.len() < AHEAD
            && let Some(node) = plan.nodes.get(self.first + self.requests.len())
        {
            let request = node_request::for_node(lab.topology(), plan, node, lab.dir())?;
            let in_pod = is_pod(plan, node.stack);
            // The first container of a pod needs the namespaces of the pod, so that it waits for
            // them. Pods were all requested first, and most are ready by now.
            if let Some(pod) = self.pods.remove(&node.stack) {
                self.await_pod(plan, node.stack, pod)?;
            }
            let pending = first_process::request(&request, self.joined(node.stack, in_pod))?;
            self.pending.push_back(PendingNewNode {
                index: self.requests.len(),
                own_stack: (!in_pod).then_some(node.stack),
                node: pending,
            });
            self.requests.push(request);
            self.started.push(None);
        }
        if self.pending.len() < AHEAD {
            // All nodes are requested. The pods that are left have no containers.
            for (stack, pod) in std::mem::take(&mut self.pods) {
                self.await_pod(plan, stack, pod)?;
            }
        }
        Ok(())
    }

    /// Returns the process whose namespaces a container joins.
    fn joined(&self, stack: StackId, in_pod: bool) -> Option<BorrowedFd<'_>> {
        let pod = self.stacks[stack.index()].as_ref()?.pod();
        pod.filter(|_| in_pod).map(|pod| pod.pidfd().as_fd())
    }

    fn await_pod(&mut self, plan: &Plan, stack: StackId, pod: PendingNode) -> Result<()> {
        let StartedNode {
            first_process,
            netns,
        } = pod.wait()?;
        self.add_stack(plan, stack, netns, Some(first_process))
    }

    fn add_stack(
        &mut self,
        plan: &Plan,
        stack: StackId,
        netns: OwnedFd,
        pod: Option<FirstProcessHandle>,
    ) -> Result<()> {
        // Settings of the stack as a whole come before any interface: a packet filter must be there
        // before the first packet can arrive.
        give_own(plan, stack, netns.as_fd())?;
        let made = Stack::new(&plan[stack], netns, pod);
        self.stacks[stack.index()] = Some(Arc::new(made));
        Ok(())
    }

    /// Waits for `count` more nodes, and returns whether others are left.
    pub(crate) fn await_next(&mut self, lab: &Lab, count: usize) -> Result<bool> {
        for _ in 0..count {
            let Some(PendingNewNode {
                index,
                own_stack,
                node,
            }) = self.pending.pop_front()
            else {
                break;
            };
            let StartedNode {
                first_process,
                netns,
            } = node.wait()?;
            // The lab holds the process from now on: a lab that fails to start drops it, and so
            // kills it.
            self.started[index] = Some(first_process);
            if let Some(stack) = own_stack {
                self.add_stack(lab.plan(), stack, netns, None)?;
            }
            // One node is there, so that one more can be under way.
            self.request_more(lab)?;
        }
        Ok(!self.pending.is_empty())
    }

    /// Returns the stacks, with nothing for those that are not there yet.
    pub(crate) fn stacks(&self) -> &[Option<Arc<Stack>>] {
        &self.stacks
    }

    /// Returns whether a stack is there.
    pub(crate) fn has_stack(&self, stack: StackId) -> bool {
        self.stacks[stack.index()].is_some()
    }

    /// Returns a builder for the namespaces that are there.
    pub(crate) fn builder<'a>(&'a self, lab: &'a Lab) -> Result<NetworkBuilder<'a>> {
        let netns = |stack: &'a Option<Arc<Stack>>| stack.as_ref().and_then(|stack| stack.netns());
        let hub = lab.hub().map(AsRef::as_ref);
        let namespaces = Namespaces::new(hub, self.stacks.iter().map(netns));
        NetworkBuilder::new(lab.plan(), namespaces)
    }

    /// Returns all stacks, and the request and first process of each new node.
    pub(crate) fn into_parts(self) -> (Vec<Arc<Stack>>, Vec<(NodeRequest, FirstProcessHandle)>) {
        let Self {
            requests,
            started,
            stacks,
            first: _,
            pods: _,
            pending: _,
        } = self;
        let all_started = started
            .into_iter()
            // The loop in `make` has waited for all.
            .map(|started| started.expect("no node is left to wait for"));
        let nodes = requests.into_iter().zip(all_started).collect();
        (stacks.into_iter().flatten().collect(), nodes)
    }
}

fn is_pod(plan: &Plan, stack: StackId) -> bool {
    match plan[stack].owner {
        Owner::Pod(_) => true,
        Owner::Node(_) => false,
    }
}
