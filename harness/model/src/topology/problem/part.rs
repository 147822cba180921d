//! The parts of a topology as sentences name them.

use std::fmt;

use crate::topology::name::{clipped, show};

/// A part of a topology with its name: "node `alice`".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NamedPart {
    Node(String),
    Pod(String),
    Switch(String),
    Link(LinkLabel),
    /// A segment that has neither a switch nor a cable.
    Segment,
}

impl fmt::Display for NamedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node {}", show(name)),
            Self::Pod(name) => write!(f, "pod {}", show(name)),
            Self::Switch(name) => write!(f, "switch {}", show(name)),
            Self::Link(label) => write!(f, "link {label}"),
            Self::Segment => f.write_str("a segment"),
        }
    }
}

/// A link in a sentence: by its name, or by those of its ends, without the word "link".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkLabel {
    Named(String),
    /// A further link between two ends that another link joins, with its number: `alice–bob (2)`.
    Numbered(String),
    Between([String; 2]),
}

impl fmt::Display for LinkLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(&show(name)),
            Self::Numbered(name) => write!(f, "`{name}`"),
            Self::Between([a, b]) => write!(f, "`{}–{}`", clipped(a), clipped(b)),
        }
    }
}

/// The end of a link: "`alice` of link `alice–bob`".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkEnd {
    /// Name of the node, pod or switch that the end is plugged into.
    pub(crate) at: String,
    pub(crate) link: LinkLabel,
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, link } = self;
        write!(f, "{} of link {link}", show(at))
    }
}

/// The kind of a part that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartKind {
    Node,
    Container,
    Pod,
    Switch,
}

impl fmt::Display for PartKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node => "node",
            Self::Container => "container",
            Self::Pod => "pod",
            Self::Switch => "switch",
        })
    }
}
