//! Faults of a lab, as methods of the lab: from a value, and partitions.
//!
//! The methods of links and labs (`cut`, `flap`, `degrade`, `partition`) return the same guards as
//! this does, so that a fault is an event whichever way it was made.

use std::fmt::Display;
use std::sync::Arc;

use crate::lab::error::Result;
use crate::lab::faults::guard::FaultGuard;
use crate::lab::faults::roles::{ActionError, NamedAction};
use crate::lab::faults::view::{LabView, ViewedLink};
use crate::lab::lab::Lab;
use crate::lab::node::node::Node;
use crate::model::fault::{Fault, NodeRef};
use crate::topology::NodeId;

impl Lab {
    /// Carries out a fault, and returns when the fault is in force. It is healed when the guard is
    /// dropped.
    ///
    /// ```no_run
    /// use snowglobe::fault::Fault;
    /// use snowglobe::prelude::*;
    ///
    /// #[snowglobe::test]
    /// fn a_minority_takes_no_writes() -> TestResult {
    ///     let lab = shape::star(3).start()?;
    ///     let names: Vec<_> = lab.nodes().map(|node| node.name()).collect();
    ///     let split = lab.inject(Fault::partition(names[..1].to_vec(), names[1..].to_vec()))?;
    ///     // … a write to the first node must not be acknowledged …
    ///     split.heal()?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// The lab has no such link or node, the fault makes no sense for it or would change nothing,
    /// or the kernel refuses. The lab is as it was then.
    pub fn inject(&self, fault: Fault) -> Result<FaultGuard> {
        self.view().inject(fault)
    }

    /// Parts the nodes of one side from the nodes of the other side, over whatever ways there are.
    ///
    /// No node hears anything that comes from the other side, not even through nodes that are on
    /// neither side. No end notices. The partition is healed when the guard is dropped; partitions
    /// and cuts compose. It is about the interfaces and addresses that the nodes have now.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// let lab = shape::star(3).start()?;
    /// let split = lab.partition(["n1"], ["n2", "n3"])?;
    /// // … a minority must not take writes …
    /// split.heal()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A node, or two containers of a pod, are on both sides, or a side has no node.
    pub fn partition<L, R>(&self, left: L, right: R) -> Result<FaultGuard>
    where
        L: IntoIterator<Item: Into<NodeRef>>,
        R: IntoIterator<Item: Into<NodeRef>>,
    {
        self.inject(Fault::partition(left, right))
    }

    /// Keeps what the nodes `from` send from the nodes `to`. The other way packets pass.
    ///
    /// # Errors
    /// A node, or two containers of a pod, are on both sides, or a side has no node.
    pub fn partition_one_way<F, T>(&self, from: F, to: T) -> Result<FaultGuard>
    where
        F: IntoIterator<Item: Into<NodeRef>>,
        T: IntoIterator<Item: Into<NodeRef>>,
    {
        self.inject(Fault::partition_one_way(from, to))
    }

    /// Says which nodes have a role, such as that of the leader, whenever a fault asks for it: the
    /// nodes for which the function answers then. A fault names the role by
    /// [`NodeRef::role`](crate::fault::NodeRef::role).
    ///
    /// The function may wait until a node has the role, such as for a line of a log. The fault
    /// begins then, and is healed as much later; other faults of its schedule wait meanwhile.
    ///
    /// ```no_run
    /// use snowglobe::fault::{Fault, NodeRef};
    /// use snowglobe::prelude::*;
    ///
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::star(3).start()?;
    /// lab.role("leader", |lab| {
    ///     let mut nodes = lab.nodes();
    ///     let leads = |node: &&snowglobe::lab::Node| {
    ///         node.command("is-leader").status().is_ok_and(|status| status.success())
    ///     };
    ///     let leader = nodes.find(leads);
    ///     leader.map(|node| node.id())
    /// });
    /// let isolated = lab.inject(Fault::isolate(NodeRef::role("leader")))?;
    /// println!("{}", isolated.fault()); // partition of `n2` from `n1`, `n3`
    /// # Ok(())
    /// # }
    /// ```
    pub fn role<N: IntoIterator<Item = NodeId>>(
        &self,
        name: impl Into<String>,
        nodes: impl Fn(&LabView) -> N + Send + Sync + 'static,
    ) {
        let find = move |view: &LabView| nodes(view).into_iter().collect();
        self.roles().set_role(name.into(), Arc::new(find));
    }

    /// Gives a name to something that a schedule can do, such as a change of members: see
    /// [`Fault::action`]. The function is given the node that the fault names, if it names one.
    pub fn action<E: Display>(
        &self,
        name: impl Into<String>,
        action: impl Fn(&LabView, Option<&Node>) -> Result<(), E> + Send + Sync + 'static,
    ) {
        // A schedule gets the error on a thread of its own, to which not every error may be sent.
        let action = move |view: &LabView, node: Option<&Node>| {
            action(view, node).map_err(|error| ActionError::from(error.to_string()))
        };
        let action = NamedAction::new(Arc::new(action), None);
        self.roles().set_action(name.into(), action);
    }

    /// Gives a name to something that a schedule can do. The function `undo` is called when the
    /// fault is healed.
    pub fn action_with_undo<E: Display, F: Display>(
        &self,
        name: impl Into<String>,
        action: impl Fn(&LabView, Option<&Node>) -> Result<(), E> + Send + Sync + 'static,
        undo: impl Fn(&LabView, Option<&Node>) -> Result<(), F> + Send + Sync + 'static,
    ) {
        let action = move |view: &LabView, node: Option<&Node>| {
            action(view, node).map_err(|error| ActionError::from(error.to_string()))
        };
        let undo = move |view: &LabView, node: Option<&Node>| {
            undo(view, node).map_err(|error| ActionError::from(error.to_string()))
        };
        let action = NamedAction::new(Arc::new(action), Some(Arc::new(undo)));
        self.roles().set_action(name.into(), action);
    }

    /// Returns the nodes and links of the lab as they are now, for what goes on beside the test.
    pub fn view(&self) -> LabView {
        let links = self.links().map(|link| ViewedLink {
            ends: link.ends().clone(),
            state: Arc::clone(link.shared_state()),
        });
        LabView {
            plan: self.shared_plan(),
            nodes: self.all_nodes().to_vec(),
            links: links.collect(),
            stacks: self.stacks().to_vec(),
            journal: Arc::clone(self.journal()),
            roles: Arc::clone(self.roles()),
        }
    }
}
