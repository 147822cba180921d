//! The nodes and links that a fault is about.
//!
//! Each fault is taken apart in full, so that the compiler names this place for a new one.

use super::fault::Fault;
use super::refs::{LinkRef, NodeRef};

/// The part that a node has to have for a fault.
pub(super) enum NodeNeed<'f> {
    /// Any node can have the fault.
    Nothing,
    /// A clock that faults can change.
    Clock,
    /// The volume with faults of this name, or any volume with faults.
    Disk(Option<&'f str>),
    /// A name server.
    NameServer,
}

/// The sets of nodes that a fault parts.
pub enum PartedNodes<'f> {
    /// The two sides of a partition.
    Sides(&'f mut Vec<NodeRef>, &'f mut Vec<NodeRef>),
    /// Pairs, each of which is parted by itself.
    Pairs(&'f mut Vec<[NodeRef; 2]>),
}

impl Fault {
    /// Returns the nodes that the fault is about, as it names them.
    pub fn nodes(&self) -> Vec<NodeRef> {
        let mut copy = self.clone();
        copy.parts_mut()
            .0
            .into_iter()
            .map(|node| node.clone())
            .collect()
    }

    /// Returns the field of each of the [`nodes`](Self::nodes), as `node` or `left.2`.
    pub(super) fn node_fields(&self) -> Vec<String> {
        match self.clone().parted_mut() {
            Some(PartedNodes::Sides(left, right)) => {
                let left = (0..left.len()).map(|place| format!("left.{place}"));
                let right = (0..right.len()).map(|place| format!("right.{place}"));
                left.chain(right).collect()
            }
            Some(PartedNodes::Pairs(pairs)) => {
                let both = |pair| [0, 1].map(|end| format!("pairs.{pair}.{end}"));
                (0..pairs.len()).flat_map(both).collect()
            }
            None => vec!["node".to_owned(); self.nodes().len()],
        }
    }

    /// Returns the links that the fault is about, as it names them.
    pub fn links(&self) -> Vec<LinkRef> {
        let mut copy = self.clone();
        copy.parts_mut()
            .1
            .into_iter()
            .map(|link| link.clone())
            .collect()
    }

    /// Returns whether the fault names a node or a link by its id.
    pub fn has_id(&self) -> bool {
        self.names_any(
            |node| matches!(node, NodeRef::Id(_)),
            |link| matches!(link, LinkRef::Id(_)),
        )
    }

    /// Returns whether the fault names a role, which is looked up when the fault begins.
    pub fn has_role(&self) -> bool {
        self.has_role_but(&[])
    }

    /// Returns whether the fault names a role that a node may have or lack. `all` and `rest` are
    /// there always.
    pub(super) fn has_changing_role(&self) -> bool {
        self.has_role_but(&[NodeRef::all(), NodeRef::rest()])
    }

    /// Returns whether the fault names a role other than these.
    fn has_role_but(&self, others: &[NodeRef]) -> bool {
        self.names_any(
            |node| matches!(node, NodeRef::Role { .. }) && !others.contains(node),
            |link| matches!(link, LinkRef::Role { .. }),
        )
    }

    fn names_any(
        &self,
        is_node: impl Fn(&NodeRef) -> bool,
        is_link: impl Fn(&LinkRef) -> bool,
    ) -> bool {
        let mut copy = self.clone();
        let (nodes, links) = copy.parts_mut();
        nodes.iter().any(|it| is_node(it)) || links.iter().any(|it| is_link(it))
    }

    /// Returns the sets of nodes that the fault parts. All other faults are about one node, link or
    /// program each.
    pub fn parted_mut(&mut self) -> Option<PartedNodes<'_>> {
        match self {
            Self::Partition {
                left,
                right,
                one_way: _,
            } => Some(PartedNodes::Sides(left, right)),
            Self::Sever { pairs } => Some(PartedNodes::Pairs(pairs)),
            Self::Cut { .. }
            | Self::Flap { .. }
            | Self::Degrade { .. }
            | Self::Pause { .. }
            | Self::KillProcesses { .. }
            | Self::Crash { .. }
            | Self::Dns { .. }
            | Self::Clock { .. }
            | Self::Disk { .. }
            | Self::Restart { .. }
            | Self::KillProgram { .. }
            | Self::PauseProgram { .. }
            | Self::Slow { .. }
            | Self::Descriptors { .. }
            | Self::Memory { .. }
            | Self::Action { .. } => None,
        }
    }

    /// Returns the places at which the fault names nodes.
    pub fn nodes_mut(&mut self) -> Vec<&mut NodeRef> {
        self.parts_mut().0
    }

    /// Returns the places at which the fault names links.
    pub fn links_mut(&mut self) -> Vec<&mut LinkRef> {
        self.parts_mut().1
    }

    /// Returns the part that the node of the fault has to have.
    pub(super) fn need(&self) -> NodeNeed<'_> {
        match self {
            Self::Clock { .. } => NodeNeed::Clock,
            Self::Disk { volume, .. } => NodeNeed::Disk(volume.as_deref()),
            Self::Dns { .. } => NodeNeed::NameServer,
            Self::Cut { .. }
            | Self::Flap { .. }
            | Self::Degrade { .. }
            | Self::Partition { .. }
            | Self::Pause { .. }
            | Self::KillProcesses { .. }
            | Self::Crash { .. }
            | Self::Sever { .. }
            | Self::Restart { .. }
            | Self::KillProgram { .. }
            | Self::PauseProgram { .. }
            | Self::Slow { .. }
            | Self::Descriptors { .. }
            | Self::Memory { .. }
            | Self::Action { .. } => NodeNeed::Nothing,
        }
    }

    /// Returns the places at which the fault names nodes, and those at which it names links.
    pub(super) fn parts_mut(&mut self) -> (Vec<&mut NodeRef>, Vec<&mut LinkRef>) {
        match self {
            Self::Cut { link, direction: _ }
            | Self::Flap { link, period: _ }
            | Self::Degrade {
                link,
                impairment: _,
            } => (Vec::new(), vec![link]),
            Self::Partition {
                left,
                right,
                one_way: _,
            } => (left.iter_mut().chain(right).collect(), Vec::new()),
            Self::Sever { pairs } => (pairs.iter_mut().flatten().collect(), Vec::new()),
            Self::Pause { node }
            | Self::KillProcesses { node }
            | Self::Crash { node }
            | Self::Restart { node }
            | Self::Clock { node, change: _ }
            | Self::Dns { node, answers: _ }
            | Self::Disk {
                node,
                volume: _,
                what: _,
            }
            | Self::KillProgram { node, program: _ }
            | Self::PauseProgram { node, program: _ }
            | Self::Slow { node, share: _ }
            | Self::Descriptors { node, limit: _ }
            | Self::Memory { node, spare_kb: _ } => (vec![node], Vec::new()),
            Self::Action { action: _, node } => (node.iter_mut().collect(), Vec::new()),
        }
    }
}
