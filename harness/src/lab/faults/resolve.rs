//! The nodes that have the roles of a fault when the fault begins.

use crate::lab::error::{LabError, LabErrorKind, Result, Subject};
use crate::lab::faults::inject::would_change_nothing;
use crate::lab::faults::view::{LabView, unknown};
use crate::lab::unfit::UnfitLab;
use crate::model::fault::{Fault, LinkRef, NodeRef, PartedNodes};

impl LabView {
    /// Returns the fault with names in the places of roles.
    ///
    /// # Errors
    /// No node has a role, or the fault would change nothing on the nodes that have its roles, such
    /// as where one node has both roles of a pair. A schedule goes on without such a fault.
    pub(crate) fn resolve_roles(&self, fault: Fault) -> Result<Fault> {
        let resolved = self.with_names(fault.clone())?;
        match resolved.idle() {
            Some(why) if fault.idle().is_none() => {
                Err(would_change_nothing(&fault, why, LabErrorKind::NotFound))
            }
            Some(_) | None => Ok(resolved),
        }
    }

    fn with_names(&self, mut fault: Fault) -> Result<Fault> {
        match fault.parted_mut() {
            Some(PartedNodes::Sides(left, right)) => (*left, *right) = self.sides(left, right)?,
            Some(PartedNodes::Pairs(pairs)) => {
                let mut resolved = Vec::new();
                for [a, b] in &*pairs {
                    let (a, b) = (self.named_nodes(a, &[])?, self.named_nodes(b, &[])?);
                    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| [a, b]));
                    // A role may stand on both sides, as a primary among all nodes does.
                    let apart = pairs.filter(|[a, b]| a != b);
                    resolved.extend(apart.map(|pair| pair.map(NodeRef::clone)));
                }
                *pairs = resolved;
            }
            None => {
                for node in fault.nodes_mut() {
                    *node = self.one_node(node)?;
                }
                for link in fault.links_mut() {
                    *link = self.one_link(link)?;
                }
            }
        }
        Ok(fault)
    }

    /// Returns the two sides of a partition by name. A node that a role puts on a side is on no
    /// other side.
    fn sides(&self, left: &[NodeRef], right: &[NodeRef]) -> Result<(Vec<NodeRef>, Vec<NodeRef>)> {
        let side = |side: &[NodeRef], other: &[NodeRef]| -> Result<Vec<NodeRef>> {
            let nodes = side.iter().map(|node| self.named_nodes(node, other));
            let nodes: Vec<Vec<NodeRef>> = nodes.collect::<Result<_>>()?;
            Ok(nodes.concat())
        };
        // A node that a test has named stays on its side, and one of a role gives way.
        let has_role = |side: &[NodeRef]| side.iter().any(|it| matches!(it, NodeRef::Role { .. }));
        // The role `rest` is resolved last, since it is made of those whom the other side leaves.
        let (new_left, mut new_right) = if left.contains(&NodeRef::rest()) {
            let new_right = side(right, &[])?;
            (side(left, &new_right)?, new_right)
        } else {
            let new_left = side(left, &[])?;
            let new_right = side(right, &new_left)?;
            (new_left, new_right)
        };
        // The leader is among all others too, where a test has named them beforehand.
        if has_role(left) {
            new_right.retain(|node| !new_left.contains(node));
        }
        if new_left.is_empty() || new_right.is_empty() {
            return Err(LabError::unfit(Subject::Lab, UnfitLab::EmptySide));
        }
        Ok((new_left, new_right))
    }

    /// Returns the nodes that are meant, by name. `other` are those of the other side.
    fn named_nodes(&self, node: &NodeRef, other: &[NodeRef]) -> Result<Vec<NodeRef>> {
        let named = |name: &str| NodeRef::from(name);
        let NodeRef::Role { role } = node else {
            return Ok(vec![named(self.node_of(node)?.name())]);
        };
        let all = || self.nodes().map(|node| named(node.name()));
        if *node == NodeRef::all() {
            return Ok(all().collect());
        }
        if *node == NodeRef::rest() {
            return Ok(all().filter(|node| !other.contains(node)).collect());
        }
        let Some(ids) = self.roles.nodes_with(role, self) else {
            let names = self.roles.role_names();
            return Err(unknown("role", node, names.iter().map(String::as_str)));
        };
        if ids.is_empty() {
            let reason = UnfitLab::VacantRole(node.clone());
            return Err(LabError::unfit(Subject::Lab, reason));
        }
        let nodes = ids.iter().map(|id| self.nodes.get(id.index()));
        let nodes = nodes.map(|node| match node {
            Some(node) => Ok(named(node.name())),
            None => Err(unknown("node", role, self.nodes().map(|node| node.name()))),
        });
        nodes.collect()
    }

    /// Returns the one node that is meant, by name.
    fn one_node(&self, node: &NodeRef) -> Result<NodeRef> {
        // A fault of one node is not for the first of many: who that is would be chance.
        let mut nodes = self.named_nodes(node, &[])?;
        match nodes.pop() {
            Some(node) if nodes.is_empty() => Ok(node),
            _ => {
                let reason = UnfitLab::NotOneNode {
                    role: node.clone(),
                    // One was taken from the list.
                    nodes: nodes.len() + 1,
                };
                Err(LabError::unfit(Subject::Lab, reason))
            }
        }
    }

    /// Returns the link that is meant: for a role, the only link of the node that has the role.
    fn one_link(&self, link: &LinkRef) -> Result<LinkRef> {
        let LinkRef::Role { role } = link else {
            return Ok(LinkRef::from(self.link_of(link)?.ends.link()));
        };
        let node = self.node_of(&self.one_node(&NodeRef::role(role))?)?;
        let mut links = self.links.iter().filter(|link| link.ends_at(node));
        match (links.next(), links.next()) {
            (Some(link), None) => Ok(LinkRef::from(link.ends.link())),
            _ => {
                let node = node.name().to_owned();
                Err(LabError::unfit(Subject::Lab, UnfitLab::NotOneLink { node }))
            }
        }
    }
}
