//! What a schedule or a nemesis asks for, and the lab lacks.

use std::fmt;

use snowglobe_text::counted;

/// The kind of target that a fault names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TargetKind {
    Node,
    Link,
    Role,
    Action,
    /// A volume with faults of a node of this name.
    Volume(String),
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("node"),
            Self::Link => f.write_str("link"),
            Self::Role => f.write_str("role"),
            Self::Action => f.write_str("action"),
            Self::Volume(node) => write!(f, "volume with faults of node `{node}`"),
        }
    }
}

/// A thing that faults change and that not every node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeLack {
    Clock,
    Disk,
    NameServer,
}

/// Tells the lack as the rest of a sentence that begins with the node, with the remedy.
impl fmt::Display for NodeLack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clock => {
                "has the clock of the machine; ask for one that faults can change by \
                 `NodeSpec::faulty_clock`"
            }
            Self::Disk => {
                "has no volume with faults; mount one by `Volume::named(…).with_faults()`"
            }
            Self::NameServer => "has no name server; ask for one by `NodeSpec::dns`",
        })
    }
}

/// The reason why a nemesis cannot draw one of its choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChoiceObstacle {
    /// No node, or too few, can have the fault.
    Lack(NodeLack),
    /// The lab has fewer nodes or links than the choice takes.
    TooFew {
        /// Noun for a thing that is drawn.
        noun: &'static str,
        needed: usize,
        there: usize,
    },
    /// The lab has no link to draw.
    NoLink,
    /// A fault for node after node does not name the role `any`, which stands for each node in
    /// turn.
    NoRoleAny,
}

/// Tells the obstacle as the rest of a sentence that begins with the choice.
impl fmt::Display for ChoiceObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lack(what) => write!(
                f,
                "takes a node that can have it, and each of those that it draws from {what}"
            ),
            Self::TooFew {
                noun,
                needed,
                there,
            } => {
                let needed = counted(*needed as u64, noun);
                let are = if *there == 1 { "is" } else { "are" };
                let there = counted(*there as u64, noun);
                write!(f, "takes {needed}, and there {are} {there} to draw from")
            }
            Self::NoLink => f.write_str("takes a link, and there is none"),
            Self::NoRoleAny => f.write_str(
                "is to be done to node after node: name `NodeRef::any()` where each of them takes \
                 its turn",
            ),
        }
    }
}
