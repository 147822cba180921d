//! Who plays the roles of a fault when the fault begins.

use crate::lab::error::{LabError, LabErrorKind, Result, Subject};
use crate::lab::faults::inject::would_change_nothing;
use crate::lab::faults::scene::{Scene, unknown};
use crate::lab::unfit::UnfitLab;
use crate::model::fault::{Fault, LinkRef, NodeRef};

impl Scene {
    /// Returns the fault with names in the places of roles.
    ///
    /// # Errors
    /// Nobody plays a role, or those who do leave nothing to do, as where one node plays both roles
    /// of a pair. A schedule goes on without such a fault.
    pub(crate) fn cast(&self, fault: Fault) -> Result<Fault> {
        let cast = self.with_names(fault.clone())?;
        match cast.idle() {
            Some(why) if fault.idle().is_none() => {
                Err(would_change_nothing(&fault, why, LabErrorKind::NotFound))
            }
            Some(_) | None => Ok(cast),
        }
    }

    fn with_names(&self, mut fault: Fault) -> Result<Fault> {
        match &mut fault {
            Fault::Partition {
                left,
                right,
                one_way: _,
            } => {
                (*left, *right) = self.sides(left, right)?;
            }
            Fault::Sever { pairs } => {
                let mut cast = Vec::new();
                for [a, b] in &*pairs {
                    let (a, b) = (self.players(a, &[])?, self.players(b, &[])?);
                    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| [a, b]));
                    // A role may stand on both sides, as a primary among all nodes does.
                    let apart = pairs.filter(|[a, b]| a != b);
                    cast.extend(apart.map(|pair| pair.map(NodeRef::clone)));
                }
                *pairs = cast;
            }
            other @ (Fault::Cut { .. }
            | Fault::Flap { .. }
            | Fault::Degrade { .. }
            | Fault::Pause { .. }
            | Fault::KillProcesses { .. }
            | Fault::Crash { .. }
            | Fault::Dns { .. }
            | Fault::Clock { .. }
            | Fault::Disk { .. }
            | Fault::Restart { .. }
            | Fault::KillProgram { .. }
            | Fault::PauseProgram { .. }
            | Fault::Slow { .. }
            | Fault::Descriptors { .. }
            | Fault::Memory { .. }
            | Fault::Action { .. }) => {
                for node in other.nodes_mut() {
                    *node = self.player(node)?;
                }
                for link in other.links_mut() {
                    *link = self.link_of_player(link)?;
                }
            }
        }
        Ok(fault)
    }

    /// Returns the two sides of a partition by name. A node that a role puts on a side is on no
    /// other side.
    fn sides(&self, left: &[NodeRef], right: &[NodeRef]) -> Result<(Vec<NodeRef>, Vec<NodeRef>)> {
        let side = |side: &[NodeRef], other: &[NodeRef]| -> Result<Vec<NodeRef>> {
            let players = side.iter().map(|node| self.players(node, other));
            let players: Vec<Vec<NodeRef>> = players.collect::<Result<_>>()?;
            Ok(players.concat())
        };
        let has_role = |side: &[NodeRef]| side.iter().any(|it| matches!(it, NodeRef::Role { .. }));
        // The role `rest` is cast last, since it is made of those whom the other side leaves.
        let (cast_left, mut cast_right) = if left.contains(&NodeRef::rest()) {
            let cast_right = side(right, &[])?;
            (side(left, &cast_right)?, cast_right)
        } else {
            let cast_left = side(left, &[])?;
            let cast_right = side(right, &cast_left)?;
            (cast_left, cast_right)
        };
        // The leader is among all others too, where a test has named them beforehand.
        if has_role(left) {
            cast_right.retain(|node| !cast_left.contains(node));
        }
        if cast_left.is_empty() || cast_right.is_empty() {
            return Err(LabError::unfit(Subject::Lab, UnfitLab::EmptySide));
        }
        Ok((cast_left, cast_right))
    }

    /// Returns the nodes that are meant, by name. `other` are those of the other side.
    fn players(&self, node: &NodeRef, other: &[NodeRef]) -> Result<Vec<NodeRef>> {
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
        let Some(ids) = self.roles.players(role, self) else {
            let names = self.roles.role_names();
            return Err(unknown("role", node, names.iter().map(String::as_str)));
        };
        if ids.is_empty() {
            let reason = UnfitLab::RoleOfNobody(node.clone());
            return Err(LabError::unfit(Subject::Lab, reason));
        }
        let players = ids.iter().map(|id| self.nodes.get(id.index()));
        let players = players.map(|node| match node {
            Some(node) => Ok(named(node.name())),
            None => Err(unknown("node", role, self.nodes().map(|node| node.name()))),
        });
        players.collect()
    }

    /// Returns the one node that is meant, by name.
    fn player(&self, node: &NodeRef) -> Result<NodeRef> {
        // A fault of one node is not for the first of many: who that is would be chance.
        let mut players = self.players(node, &[])?;
        match players.pop() {
            Some(player) if players.is_empty() => Ok(player),
            _ => {
                let reason = UnfitLab::NotOneNode {
                    role: node.clone(),
                    // One was taken from the list.
                    nodes: players.len() + 1,
                };
                Err(LabError::unfit(Subject::Lab, reason))
            }
        }
    }

    /// Returns the link that is meant: for a role, the only link of the node that plays it.
    fn link_of_player(&self, link: &LinkRef) -> Result<LinkRef> {
        let LinkRef::Role { role } = link else {
            return Ok(LinkRef::from(self.link_of(link)?.ends.link()));
        };
        let node = self.node_of(&self.player(&NodeRef::role(role))?)?;
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
