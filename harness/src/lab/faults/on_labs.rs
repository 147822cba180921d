//! Faults of a lab, as methods of the lab: from a value, and partitions.
//!
//! The methods of links and labs (`cut`, `flap`, `degrade`, `partition`) return the same guards as
//! this does, so that a fault is an event whichever way it was made.

use std::sync::Arc;

use crate::lab::error::{LabError, LabErrorKind, Result, Subject};
use crate::lab::faults::guard::{FaultGuard, Healing};
use crate::lab::faults::partition::Partition;
use crate::lab::lab::Lab;
use crate::lab::link::link::Link;
use crate::lab::node::node::Node;
use crate::model::fault::{Fault, LinkRef, NodeRef};
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
    /// The lab has no such link or node, the fault makes no sense for it, or the kernel refuses.
    /// The lab is as it was then.
    pub fn inject(&self, fault: Fault) -> Result<FaultGuard> {
        match fault {
            Fault::Cut {
                link,
                direction: None,
            } => self.link_of(&link)?.cut(),
            Fault::Cut {
                link,
                direction: Some(direction),
            } => self.link_of(&link)?.cut_one_way(direction),
            Fault::Flap { link, period } => self.link_of(&link)?.flap(period),
            Fault::Degrade { link, impairment } => self.link_of(&link)?.degrade(impairment),
            Fault::Partition {
                left,
                right,
                one_way,
            } => {
                let (left, right) = (self.ids_of(&left)?, self.ids_of(&right)?);
                if one_way {
                    self.partition_one_way(&left, &right)
                } else {
                    self.partition(&left, &right)
                }
            }
            Fault::Pause { node } => {
                let node = self.node_of(&node)?;
                node.pause()?;
                let fault = Fault::pause(node.name());
                Ok(self.begin_fault(fault, Paused(Arc::clone(node))))
            }
            Fault::KillProcesses { node } => {
                let node = self.node_of(&node)?;
                node.kill_processes()?;
                let fault = Fault::kill_processes(node.name());
                Ok(self.begin_fault(fault, Stopped(Arc::clone(node))))
            }
            Fault::Crash { node } => {
                let node = self.node_of(&node)?;
                node.crash()?;
                let fault = Fault::crash(node.name());
                Ok(self.begin_fault(fault, Stopped(Arc::clone(node))))
            }
            Fault::Dns { node, answers } => {
                let node = self.node_of(&node)?;
                let dns = node.dns().ok_or_else(|| {
                    let why = "has no name server; ask for one by `NodeSpec::dns`";
                    LabError::invalid(Subject::Node(node.name().to_owned()), why)
                })?;
                dns.inject(answers)
            }
        }
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
    /// let ids: Vec<_> = lab.nodes().map(|node| node.id()).collect();
    /// let split = lab.partition(&ids[..1], &ids[1..])?;
    /// // … a minority must not take writes …
    /// split.heal()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A node, or two containers of a pod, are on both sides.
    pub fn partition(&self, left: &[NodeId], right: &[NodeId]) -> Result<FaultGuard> {
        let mut partition = Partition::new(self, left, right)?;
        partition.add(Partition::new(self, right, left)?);
        let fault = Fault::partition(self.names(left), self.names(right));
        Ok(self.begin_fault(fault, partition))
    }

    /// Keeps what the nodes `from` send from the nodes `to`. The other way packets pass.
    ///
    /// # Errors
    /// A node, or two containers of a pod, are on both sides.
    pub fn partition_one_way(&self, from: &[NodeId], to: &[NodeId]) -> Result<FaultGuard> {
        let partition = Partition::new(self, from, to)?;
        let fault = Fault::partition_one_way(self.names(from), self.names(to));
        Ok(self.begin_fault(fault, partition))
    }

    fn begin_fault(&self, fault: Fault, healing: impl Healing + 'static) -> FaultGuard {
        FaultGuard::begin(self.journal(), fault, healing)
    }

    fn names(&self, nodes: &[NodeId]) -> Vec<&str> {
        nodes.iter().map(|node| self[*node].name()).collect()
    }

    /// Finds the link that a fault is about.
    fn link_of(&self, link: &LinkRef) -> Result<&Link> {
        let is_it = |it: &&Link| match link {
            LinkRef::Name(name) => it.name() == name,
            LinkRef::Id(id) => it.id() == *id,
        };
        let mut found = self.links().filter(is_it);
        match (found.next(), found.next()) {
            (Some(link), None) => Ok(link),
            (Some(_), Some(_)) => {
                let why = format!("has several links {link}; name the one that is meant by its id");
                Err(LabError::invalid(Subject::Lab, why))
            }
            (None, _) => Err(unknown("link", link, self.links().map(Link::name))),
        }
    }

    /// Finds the node that a fault is about.
    fn node_of(&self, node: &NodeRef) -> Result<&Arc<Node>> {
        let is_it = |it: &&Arc<Node>| match node {
            NodeRef::Name(name) => it.name() == name,
            NodeRef::Id(id) => it.id() == *id,
        };
        // The guard keeps the node for its heal, so that an Arc is looked for and not a reference.
        let mut nodes = self.all_nodes().iter().filter(|node| !node.is_removed());
        let found = nodes.find(is_it);
        found.ok_or_else(|| unknown("node", node, self.nodes().map(Node::name)))
    }

    fn ids_of(&self, nodes: &[NodeRef]) -> Result<Vec<NodeId>> {
        let ids = nodes.iter().map(|node| Ok(self.node_of(node)?.id()));
        ids.collect()
    }
}

fn unknown<'n>(
    kind: &str,
    name: impl std::fmt::Display,
    others: impl Iterator<Item = &'n str>,
) -> LabError {
    // Ten names are enough to see what was misspelt.
    let others: Vec<String> = others.take(10).map(|name| format!("`{name}`")).collect();
    let why = if others.is_empty() {
        format!("has no {kind} {name}, and no other {kind} either")
    } else {
        format!("has no {kind} {name}; it has {}", others.join(", "))
    };
    LabError::unfit(LabErrorKind::NotFound, Subject::Lab, why)
}

/// A node whose processes are stopped.
struct Paused(Arc<Node>);

impl Healing for Paused {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self(node) = *self;
        // A node that crashed or was removed meanwhile has nothing left that is stopped.
        if node.is_removed() || !node.is_running() {
            return Ok(());
        }
        node.resume()
    }
}

/// A node that does not run until it is started again.
struct Stopped(Arc<Node>);

impl Healing for Stopped {
    fn heal(self: Box<Self>) -> Result<()> {
        let Self(node) = *self;
        // The test may have removed the node, or restarted it by itself.
        if node.is_removed() || node.is_running() {
            return Ok(());
        }
        node.restart()
    }
}
