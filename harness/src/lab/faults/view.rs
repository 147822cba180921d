//! The nodes and links of a lab at one moment, for what goes on beside the test.
//!
//! A schedule is carried out on a thread of its own, which cannot borrow the lab. So a view owns
//! its parts, and outlives what the test does with the lab.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::events::Journal;
use crate::kernel::sync::Lock;
use crate::lab::error::{LabError, Result, Subject};
use crate::lab::faults::roles::Roles;
use crate::lab::link::ends::LinkEnds;
use crate::lab::link::state::LinkState;
use crate::lab::node::node::Node;
use crate::lab::stack::stack::Stack;
use crate::lab::unfit::UnfitLab;
use crate::model::fault::{LinkRef, NodeRef, Targets, means_link};
use crate::model::side::Side;
use crate::topology::plan::Plan;
use crate::topology::{LinkId, NodeId};

/// The nodes and links of a lab as they are at one moment.
///
/// Functions that say which nodes have a role ([`Lab::role`](crate::Lab::role)) are given one: they
/// run while the test uses the lab.
#[derive(Clone, Debug)]
pub struct LabView {
    pub(crate) plan: Arc<Plan>,
    pub(crate) nodes: Vec<Arc<Node>>,
    pub(crate) links: Vec<ViewedLink>,
    pub(crate) stacks: Vec<Arc<Stack>>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) roles: Arc<Roles>,
}

/// A link, as far as faults need it.
#[derive(Clone, Debug)]
pub(crate) struct ViewedLink {
    pub(crate) ends: LinkEnds,
    pub(crate) state: Arc<Lock<LinkState>>,
}

impl ViewedLink {
    /// Returns whether the link ends at a node. A container has no links of its own: those of its
    /// pod end at the stack that it shares.
    pub(crate) fn ends_at(&self, node: &Node) -> bool {
        let stacks = Side::BOTH.map(|side| self.ends.stack(side));
        let mut stacks = stacks.into_iter().flatten();
        stacks.any(|stack| Arc::ptr_eq(stack, node.stack()))
    }
}

impl LabView {
    /// Returns all nodes, containers included.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        // A node that was removed keeps its place, so that the id of a node remains its index.
        let nodes = self.nodes.iter().map(Arc::as_ref);
        nodes.filter(|node| !node.is_removed())
    }

    /// Finds a node by name. A container is called `pod/container`.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes().find(|node| node.name() == name)
    }

    /// Returns all that the faults of a schedule may name.
    pub fn targets(&self) -> Targets {
        let ends = |link: &ViewedLink| {
            let nodes = self.nodes().filter(|node| link.ends_at(node));
            nodes.map(|node| node.name().to_owned()).collect()
        };
        Targets {
            nodes: self.nodes().map(|node| node.name().to_owned()).collect(),
            links: self
                .links
                .iter()
                .map(|link| (link.ends.name().to_owned(), ends(link)))
                .collect(),
            removed_nodes: self
                .nodes
                .iter()
                .filter(|node| node.is_removed())
                .map(|node| node.id())
                .collect(),
            removed_links: self.removed_links(),
            roles: self.roles.role_names(),
            actions: self.roles.action_names(),
            clocks: self
                .nodes()
                .filter(|node| node.request().faulty_clock)
                .map(|node| node.name().to_owned())
                .collect(),
            disks: self.nodes().flat_map(disks_of).collect(),
            name_servers: self
                .nodes()
                .filter(|node| node.dns().is_some())
                .map(|node| node.name().to_owned())
                .collect(),
        }
    }

    fn removed_links(&self) -> Vec<LinkId> {
        let links = self.links.iter();
        let there: BTreeSet<usize> = links.map(|link| link.ends.link().index()).collect();
        let ids = 0..there.last().map_or(0, |last| last + 1);
        ids.filter(|id| !there.contains(id))
            .map(LinkId::new)
            .collect()
    }

    /// Finds the link that a fault is about.
    pub(crate) fn link_of(&self, link: &LinkRef) -> Result<&ViewedLink> {
        // A name as it stands is preferred: with hyphens for dashes, two links may have one name.
        let has_name = |name: &str| self.links.iter().any(|it| it.ends.name() == name);
        let is_exact = matches!(link, LinkRef::Name(name) if has_name(name));
        let is_it = |it: &&ViewedLink| match link {
            LinkRef::Name(name) if is_exact => it.ends.name() == name,
            LinkRef::Name(name) => means_link(name, it.ends.name()),
            LinkRef::Id(id) => it.ends.link() == *id,
            // Roles were replaced by names when the fault was resolved.
            LinkRef::Role { .. } => false,
        };
        let mut found = self.links.iter().filter(is_it);
        match (found.next(), found.next()) {
            (Some(link), None) => Ok(link),
            (Some(_), Some(_)) => {
                let reason = UnfitLab::SeveralLinks(link.clone());
                Err(LabError::unfit(Subject::Lab, reason))
            }
            (None, _) => {
                if let LinkRef::Name(name) = link {
                    self.refuse_role_as_name("link", name)?;
                }
                let names = self.links.iter().map(|link| link.ends.name());
                Err(unknown("link", link, names))
            }
        }
    }

    /// Finds the one node that a fault is about.
    pub(crate) fn node_of(&self, node: &NodeRef) -> Result<&Arc<Node>> {
        let is_it = |it: &&Arc<Node>| match node {
            NodeRef::Name(name) => it.name() == name,
            NodeRef::Id(id) => it.id() == *id,
            NodeRef::Role { .. } => false,
        };
        // The guard keeps the node for its heal, so that an Arc is looked for and not a reference.
        let mut nodes = self.nodes.iter().filter(|node| !node.is_removed());
        if let Some(found) = nodes.find(is_it) {
            return Ok(found);
        }
        if let NodeRef::Id(id) = node
            && let Some(gone) = self.nodes.get(id.index())
        {
            let subject = gone.subject();
            return Err(LabError::removed(subject));
        }
        if let NodeRef::Name(name) = node {
            self.refuse_role_as_name("node", name)?;
        }
        Err(unknown("node", node, self.nodes().map(Node::name)))
    }

    /// Refuses a name that is that of a role.
    fn refuse_role_as_name(&self, noun: &'static str, name: &str) -> Result<()> {
        match self.roles.role_names().iter().any(|role| role == name) {
            true => {
                let role = name.to_owned();
                let reason = UnfitLab::RoleAsName { noun, role };
                Err(LabError::unfit(Subject::Lab, reason))
            }
            false => Ok(()),
        }
    }

    pub(crate) fn ids_of(&self, nodes: &[NodeRef]) -> Result<Vec<NodeId>> {
        let ids = nodes.iter().map(|node| Ok(self.node_of(node)?.id()));
        ids.collect()
    }
}

/// Returns the volumes with faults of a node, each with the name of the node.
fn disks_of(node: &Node) -> impl Iterator<Item = (String, String)> {
    let names = node.disks().iter().map(|disk| disk.volume());
    names.map(|volume| (node.name().to_owned(), volume.to_owned()))
}

pub(crate) fn unknown<'n>(
    noun: &'static str,
    name: impl std::fmt::Display,
    known: impl Iterator<Item = &'n str>,
) -> LabError {
    LabError::unfit(Subject::Lab, UnfitLab::unknown(noun, name, known))
}
