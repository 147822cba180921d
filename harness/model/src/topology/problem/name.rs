//! Names that break a rule, that two parts have, or that name nothing.

use std::fmt;

use super::kind::{NounProblem, TopologyErrorKind};
use super::part::{LinkLabel, NamedPart, PartKind};
use crate::topology::name::{NameMistake, show};

/// A mistake in a name or in an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NameProblem {
    /// A container is in a pod of another topology.
    ForeignPod {
        container: String,
    },
    /// A link has an end in a part of another topology.
    ForeignEnd {
        link: LinkLabel,
        kind: PartKind,
    },
    /// The domain of the lab breaks a rule for names.
    Domain {
        domain: String,
        mistake: NameMistake,
    },
    /// The name of a node, a pod or a switch breaks a rule for names.
    PartName {
        kind: PartKind,
        name: String,
        mistake: NameMistake,
    },
    /// Two parts have one name.
    PartNameTaken {
        kind: PartKind,
        name: String,
        by: PartKind,
    },
    /// An alias breaks a rule for names.
    Alias {
        alias: String,
        owner: String,
        mistake: NameMistake,
    },
    /// An alias is a name that a node or a pod has already.
    AliasTaken {
        alias: String,
        owner: String,
        by: String,
    },
    NoContainers {
        pod: NamedPart,
    },
}

impl NounProblem for NameProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::ForeignPod { .. } | Self::ForeignEnd { .. } | Self::NoContainers { .. } => {
                TopologyErrorKind::Missing
            }
            Self::Domain { .. } | Self::PartName { .. } | Self::Alias { .. } => {
                TopologyErrorKind::Invalid
            }
            Self::PartNameTaken { .. } | Self::AliasTaken { .. } => TopologyErrorKind::Conflict,
        }
    }
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FOREIGN: &str =
            "that this topology does not have; ids belong to the topology that gave them";
        match self {
            Self::ForeignPod { container } => {
                write!(f, "container {} is in a pod {FOREIGN}", show(container))
            }
            Self::ForeignEnd { link, kind } => write!(f, "link {link} joins a {kind} {FOREIGN}"),
            Self::Domain { domain, mistake } => write!(f, "domain {} {mistake}", show(domain)),
            Self::PartName {
                kind,
                name,
                mistake,
            } => write!(f, "{kind} name {} {mistake}", show(name)),
            Self::PartNameTaken { kind, name, by } => {
                let name = show(name);
                let whose = match kind == by {
                    true => "another".to_owned(),
                    false => format!("a {by}"),
                };
                write!(
                    f,
                    "{kind} {name} has the name of {whose}; each needs its own"
                )
            }
            Self::Alias {
                alias,
                owner,
                mistake,
            } => write!(f, "alias {} of {} {mistake}", show(alias), show(owner)),
            Self::AliasTaken { alias, owner, by } => write!(
                f,
                "alias {} of {} is a name of {} already; take another",
                show(alias),
                show(owner),
                show(by)
            ),
            Self::NoContainers { pod } => write!(
                f,
                "{pod} has no containers; add one with `topology.container(pod, \"app\")`, in a \
                 file with `[[node]]` and `pod = \"…\"`"
            ),
        }
    }
}
