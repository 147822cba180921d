//! Reasons why a lab cannot do what is asked of it.

use std::fmt;

use snowglobe_text::in_backticks;

use crate::lab::error_kind::LabErrorKind;
use crate::lab::unfit::kind::UnfitSubject;
use crate::model::fault::{LinkRef, NodeRef};

/// The reason why a lab cannot do what is asked of it.
#[derive(Debug)]
pub(crate) enum UnfitLab {
    /// The lab has no such part.
    Unknown {
        /// Noun for the kind of part.
        noun: &'static str,
        /// The part, as it was named.
        name: String,
        /// Names of some parts that exist.
        known: Vec<String>,
    },
    /// A fault has the name of a role in the place of the name of a node or link.
    RoleAsName {
        /// Noun for what was looked for: `node` or `link`.
        noun: &'static str,
        role: String,
    },
    /// The lab has several links of this name.
    SeveralLinks(LinkRef),
    /// The node with a role has several links, or none.
    NotOneLink { node: String },
    /// No node has the role at present.
    VacantRole(NodeRef),
    /// Several nodes have the role, or none, of a fault that is about one.
    NotOneNode { role: NodeRef, nodes: usize },
    /// One side of a partition has no node.
    EmptySide,
    /// The lab has no action of this name.
    UnknownAction(String),
    /// The cluster was not told how to find its leader.
    NoLeader,
    /// A change takes something out of the topology.
    Shrinks,
}

impl UnfitLab {
    /// Makes the reason that the lab has no such part.
    pub(crate) fn unknown<'n>(
        noun: &'static str,
        name: impl fmt::Display,
        known: impl Iterator<Item = &'n str>,
    ) -> Self {
        Self::Unknown {
            noun,
            name: name.to_string(),
            // Ten names are enough to see what was misspelt.
            known: known.take(10).map(str::to_owned).collect(),
        }
    }
}

impl UnfitSubject for UnfitLab {
    fn kind(&self) -> LabErrorKind {
        match self {
            Self::Unknown { .. } | Self::RoleAsName { .. } | Self::UnknownAction(_) => {
                LabErrorKind::NotFound
            }
            // The node that had the role may be down, so that a schedule leaves the fault out.
            Self::VacantRole(_) => LabErrorKind::Crashed,
            Self::SeveralLinks(_)
            | Self::NotOneLink { .. }
            | Self::NotOneNode { .. }
            | Self::EmptySide
            | Self::NoLeader
            | Self::Shrinks => LabErrorKind::InvalidArgument,
        }
    }
}

impl fmt::Display for UnfitLab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { noun, name, known } if known.is_empty() => {
                write!(f, "has no {noun} {name}, and no other {noun} either")
            }
            Self::Unknown { noun, name, known } => {
                write!(f, "has no {noun} {name}; it has {}", in_backticks(known))
            }
            Self::RoleAsName { noun, role } => {
                let of = if *noun == "link" {
                    "LinkRef"
                } else {
                    "NodeRef"
                };
                write!(
                    f,
                    "has no {noun} `{role}`, but a role of this name: write `{of}::role({role:?})`"
                )
            }
            Self::SeveralLinks(link) => write!(
                f,
                "has several links {link}; name the one that is meant by its id"
            ),
            Self::NotOneLink { node } => {
                write!(f, "has not one link of node `{node}`, but several or none")
            }
            Self::VacantRole(role) => {
                write!(f, "has no node with the role {role} at present")
            }
            Self::NotOneNode { role, nodes } => write!(
                f,
                "has {nodes} nodes for {role}, and the fault is about one"
            ),
            Self::EmptySide => f.write_str("cannot be parted: a side of the partition has no node"),
            Self::UnknownAction(action) => {
                write!(f, "has no action `{action}`; name it by `Lab::action`")
            }
            Self::NoLeader => {
                f.write_str("was not told how to find its leader; see `Cluster::leader`")
            }
            Self::Shrinks => f.write_str("can grow only by what is added to its topology"),
        }
    }
}
