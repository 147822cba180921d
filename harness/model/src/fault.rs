//! Faults as values: what is done to a lab, to which link or node, and how much.
//!
//! A fault that is a method call can be made, but it cannot be printed, kept in a file, drawn from
//! a seed or left out to see whether a test still fails. So each fault is a value first. A lab
//! carries it out (`Lab::inject`), and the guard that it returns heals what the fault did.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::direction::Direction;
use crate::dns::DnsFault;
use crate::impair::Impairment;
use crate::topology::{LinkId, NodeId};

/// A temporary change for the worse.
///
/// Links and nodes are named by id or, where the fault comes from a file, by name.
///
/// ```
/// use snowglobe_model::fault::Fault;
///
/// let text = r#"
///     fault = "partition"
///     left = ["db-1"]
///     right = ["db-2", "db-3"]
/// "#;
/// # #[cfg(feature = "toml")] {
/// let fault: Fault = toml::from_str(text)?;
/// assert_eq!(fault, Fault::partition(["db-1"], ["db-2", "db-3"]));
/// assert_eq!(fault.to_string(), "partition of `db-1` from `db-2`, `db-3`");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Packets of a link vanish, those under way included. No interface goes down.
    Cut {
        /// The link that is cut.
        link: LinkRef,
        /// The direction that is cut; both directions if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        direction: Option<Direction>,
    },
    /// A link is cut and healed by turns.
    Flap {
        /// The link that flaps.
        link: LinkRef,
        /// Time from one cut to the next. The link is cut for the first half of each period.
        #[serde(with = "crate::impair::text::serde_duration")]
        period: Duration,
    },
    /// A link gets worse: delays and losses add up, and the lower rate holds.
    Degrade {
        /// The link that gets worse.
        link: LinkRef,
        /// The impairment that is added in both directions.
        impairment: Impairment,
    },
    /// Nodes of one side hear nothing from nodes of the other side, whatever way packets take.
    Partition {
        /// The nodes of one side.
        left: Vec<NodeRef>,
        /// The nodes of the other side.
        right: Vec<NodeRef>,
        /// Whether only the right side is deaf: the left side still hears the right side.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        one_way: bool,
    },
    /// All processes of a node stop where they are. The node's kernel goes on.
    Pause {
        /// The node that is paused.
        node: NodeRef,
    },
    /// All processes of a node are killed at once, and the node's kernel goes on: peers hear that
    /// connections end. The heal starts the node again.
    KillProcesses {
        /// The node whose processes are killed.
        node: NodeRef,
    },
    /// A node loses its power: from one moment to the next it says nothing more. The heal starts
    /// the node again, with the network of the plan.
    Crash {
        /// The node that crashes.
        node: NodeRef,
    },
    /// Answers of a name server of the lab are late, wrong or missing.
    Dns {
        /// The node of the name server.
        node: NodeRef,
        /// The change of the answers.
        answers: DnsFault,
    },
}

impl Fault {
    /// Cuts both directions of a link.
    pub fn cut(link: impl Into<LinkRef>) -> Self {
        Self::Cut {
            link: link.into(),
            direction: None,
        }
    }

    /// Cuts one direction of a link.
    pub fn cut_one_way(link: impl Into<LinkRef>, direction: Direction) -> Self {
        Self::Cut {
            link: link.into(),
            direction: Some(direction),
        }
    }

    /// Cuts and heals a link by turns.
    pub fn flap(link: impl Into<LinkRef>, period: Duration) -> Self {
        Self::Flap {
            link: link.into(),
            period,
        }
    }

    /// Makes both directions of a link worse.
    pub fn degrade(link: impl Into<LinkRef>, impairment: Impairment) -> Self {
        Self::Degrade {
            link: link.into(),
            impairment,
        }
    }

    /// Parts the nodes of two sides from each other.
    pub fn partition<L, R>(left: L, right: R) -> Self
    where
        L: IntoIterator<Item: Into<NodeRef>>,
        R: IntoIterator<Item: Into<NodeRef>>,
    {
        Self::Partition {
            left: refs(left),
            right: refs(right),
            one_way: false,
        }
    }

    /// Keeps what `from` sends from `to`.
    pub fn partition_one_way<F, T>(from: F, to: T) -> Self
    where
        F: IntoIterator<Item: Into<NodeRef>>,
        T: IntoIterator<Item: Into<NodeRef>>,
    {
        Self::Partition {
            left: refs(from),
            right: refs(to),
            one_way: true,
        }
    }

    /// Stops all processes of a node.
    pub fn pause(node: impl Into<NodeRef>) -> Self {
        Self::Pause { node: node.into() }
    }

    /// Kills all processes of a node, whose kernel goes on.
    pub fn kill_processes(node: impl Into<NodeRef>) -> Self {
        Self::KillProcesses { node: node.into() }
    }

    /// Cuts the power of a node.
    pub fn crash(node: impl Into<NodeRef>) -> Self {
        Self::Crash { node: node.into() }
    }

    /// Makes answers of a name server late, wrong or missing.
    pub fn dns(node: impl Into<NodeRef>, answers: DnsFault) -> Self {
        Self::Dns {
            node: node.into(),
            answers,
        }
    }
}

fn refs(nodes: impl IntoIterator<Item: Into<NodeRef>>) -> Vec<NodeRef> {
    nodes.into_iter().map(Into::into).collect()
}

/// Tells the fault on one line: ``cut of link `alice–bob`, a→b``.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut {
                link,
                direction: None,
            } => write!(f, "cut of link {link}"),
            Self::Cut {
                link,
                direction: Some(direction),
            } => {
                write!(f, "cut of link {link}, {direction}")
            }
            Self::Flap { link, period } => write!(f, "flapping of link {link} every {period:?}"),
            Self::Degrade {
                link,
                impairment: _,
            } => write!(f, "degradation of link {link}"),
            Self::Partition {
                left,
                right,
                one_way,
            } => {
                let deaf = if *one_way { ", one way" } else { "" };
                write!(f, "partition of {} from {}{deaf}", list(left), list(right))
            }
            Self::Pause { node } => write!(f, "pause of node {node}"),
            Self::KillProcesses { node } => write!(f, "kill of all processes of node {node}"),
            Self::Crash { node } => write!(f, "crash of node {node}"),
            Self::Dns { node, answers } => write!(f, "name server {node}: {answers}"),
        }
    }
}

fn list(nodes: &[NodeRef]) -> String {
    let nodes: Vec<String> = nodes.iter().map(NodeRef::to_string).collect();
    nodes.join(", ")
}

macro_rules! reference {
    ($(#[$doc:meta])* $name:ident, $id:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(untagged)]
        pub enum $name {
            /// The name for people, as `name()` of the lab gives it.
            Name(String),
            /// The id in the topology.
            Id($id),
        }

        impl From<$id> for $name {
            fn from(id: $id) -> Self {
                Self::Id(id)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::Name(name.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self::Name(name)
            }
        }

        impl From<&$name> for $name {
            fn from(other: &$name) -> Self {
                other.clone()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Name(name) => write!(f, "`{name}`"),
                    Self::Id(id) => write!(f, "#{}", id.index()),
                }
            }
        }
    };
}

reference! {
    /// A node that a fault is about, by id or by name.
    NodeRef, NodeId
}
reference! {
    /// A link that a fault is about, by id or by name.
    LinkRef, LinkId
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impair::Percent;

    fn samples() -> Vec<(Fault, &'static str)> {
        let lossy = Impairment {
            loss: Percent(5.0),
            ..Impairment::NONE
        };
        vec![
            (Fault::cut("a–b"), "cut of link `a–b`"),
            (
                Fault::cut_one_way(LinkId::new(3), Direction::BToA),
                "cut of link #3, b→a",
            ),
            (
                Fault::flap("a–b", Duration::from_millis(300)),
                "flapping of link `a–b` every 300ms",
            ),
            (Fault::degrade("a–b", lossy), "degradation of link `a–b`"),
            (
                Fault::partition_one_way(["a"], [NodeId::new(1)]),
                "partition of `a` from #1, one way",
            ),
            (Fault::pause("a"), "pause of node `a`"),
            (
                Fault::kill_processes("a"),
                "kill of all processes of node `a`",
            ),
            (Fault::crash("web/app"), "crash of node `web/app`"),
            (
                Fault::dns(
                    "ns",
                    DnsFault::delay(Duration::from_millis(300)).of_name("bob"),
                ),
                "name server `ns`: delay of 300ms for `bob`",
            ),
        ]
    }

    #[test]
    fn each_fault_has_a_sentence() {
        for (fault, sentence) in samples() {
            assert_eq!(fault.to_string(), sentence);
        }
    }

    #[test]
    fn each_fault_survives_being_written_down() {
        for (fault, sentence) in samples() {
            let text = serde_json::to_string(&fault).unwrap();
            let read: Fault = serde_json::from_str(&text).unwrap();
            assert_eq!(read, fault, "{sentence}: {text}");
        }
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        let wrong = r#"{ "fault": "cut", "link": "a–b", "directoin": "a_to_b" }"#;
        let error = serde_json::from_str::<Fault>(wrong)
            .unwrap_err()
            .to_string();
        assert!(error.contains("directoin"), "{error}");
    }
}
