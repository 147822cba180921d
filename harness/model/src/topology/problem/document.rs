//! Files that hold no topology, and names in files that no part has.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use snowglobe_text::TreeError;

use super::kind::{NounProblem, TopologyErrorKind};
use crate::topology::name::show;

/// A mistake in the text of a topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DocumentProblem {
    Unreadable(ReadFailure),
    Syntax(TreeError),
    /// A value of the topology has no form in TOML.
    Unwritable(TreeError),
    /// A node is in a pod that is not there.
    NoPod {
        name: String,
    },
    /// A link has an end that is not there.
    NoEnd {
        name: String,
    },
    /// A latency between two regions, of which one is not there.
    NoRegion {
        between: [String; 2],
        name: String,
    },
    /// A region has a node that is not there.
    NoNodeOfRegion {
        region: String,
        name: String,
    },
}

/// The error of a file that cannot be read. Two such errors are equal if they are displayed alike.
#[derive(Clone, Debug)]
pub(crate) struct ReadFailure(Arc<io::Error>);

impl ReadFailure {
    pub(crate) fn new(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl PartialEq for ReadFailure {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind() == other.0.kind() && self.0.to_string() == other.0.to_string()
    }
}

impl Eq for ReadFailure {}

impl NounProblem for DocumentProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::Unreadable(_) => TopologyErrorKind::Unreadable,
            Self::Syntax(_) => TopologyErrorKind::Syntax,
            Self::Unwritable(_) => TopologyErrorKind::Invalid,
            Self::NoPod { .. }
            | Self::NoEnd { .. }
            | Self::NoRegion { .. }
            | Self::NoNodeOfRegion { .. } => TopologyErrorKind::Missing,
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(ReadFailure(error)) => Some(&**error),
            Self::Syntax(error) | Self::Unwritable(error) => Some(error),
            Self::NoPod { .. }
            | Self::NoEnd { .. }
            | Self::NoRegion { .. }
            | Self::NoNodeOfRegion { .. } => None,
        }
    }
}

impl fmt::Display for DocumentProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(ReadFailure(error)) => {
                write!(f, "failed to read the topology: {error}")
            }
            Self::Syntax(error) => error.fmt(f),
            Self::Unwritable(error) => {
                write!(f, "failed to write the topology as TOML: {error}")
            }
            Self::NoPod { name } => write!(f, "there is no pod named {}", show(name)),
            Self::NoEnd { name } => {
                write!(f, "there is no node, pod or switch named {}", show(name))
            }
            Self::NoRegion {
                between: [a, b],
                name,
            } => write!(
                f,
                "the latency between {} and {}: there is no region {}",
                show(a),
                show(b),
                show(name)
            ),
            Self::NoNodeOfRegion { region, name } => write!(
                f,
                "region {}: there is no node {}",
                show(region),
                show(name)
            ),
        }
    }
}
