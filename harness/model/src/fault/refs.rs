//! How a fault names nodes and links: by name, by id, or by a role that is looked up later.

use std::fmt;

use snowglobe_derive::Serialize;
use snowglobe_text::{FromTree, Tree, TreeContent, TreeError};

use crate::topology::{LinkId, NodeId};

/// Role of what a nemesis draws: it replaces the role by a name.
pub const ANY: &str = "any";

/// Role of all nodes.
pub(super) const ALL: &str = "all";

/// Role of all nodes that are not on the other side of a partition.
pub(super) const REST: &str = "rest";

/// Returns whether a name means the link of another one: a hyphen may stand for the dash between
/// the names of two nodes, which keyboards lack.
pub fn means_link(written: &str, link: &str) -> bool {
    written == link || written == link.replace('–', "-")
}

/// Words for what a text may have in the place of a node or of a link.
const NAMES: &str = "a name, or a role as in `{ role = \"leader\" }`";

macro_rules! reference {
    ($(#[$doc:meta])* $name:ident, $id:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(untagged)]
        pub enum $name {
            /// The name for people, as `name()` of the lab gives it.
            Name(String),
            /// The id in the topology.
            Id($id),
            /// A role, as `leader`, which is looked up when the fault begins.
            Role {
                /// The name of the role.
                role: String,
            },
        }

        impl FromTree for $name {
            fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
                match &tree.content {
                    TreeContent::Text(name) => Ok(Self::Name(name.clone())),
                    TreeContent::Integer(_) => $id::from_tree(tree).map(Self::Id),
                    TreeContent::Table(_) => {
                        let fields = tree.fields(&["role"], true, "")?;
                        let role = fields.take("role")?;
                        Ok(Self::Role { role })
                    }
                    TreeContent::Nothing
                    | TreeContent::Bool(_)
                    | TreeContent::Float(_)
                    | TreeContent::List(_) => Err(tree.unexpected(NAMES)),
                }
            }
        }

        snowglobe_text::deserialize_by_tree!($name);

        impl $name {
            /// Returns what has a role when the fault begins.
            pub fn role(role: impl Into<String>) -> Self {
                Self::Role { role: role.into() }
            }

            /// Returns the place of what a nemesis draws.
            pub fn any() -> Self {
                Self::role(ANY)
            }
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

        // The items of `ids.iter()`, of `names.iter()` and the like.
        impl From<&$id> for $name {
            fn from(id: &$id) -> Self {
                Self::Id(*id)
            }
        }

        impl From<&&str> for $name {
            fn from(name: &&str) -> Self {
                Self::Name((*name).to_owned())
            }
        }

        impl From<&String> for $name {
            fn from(name: &String) -> Self {
                Self::Name(name.clone())
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
                    Self::Role { role } => write!(f, "<{role}>"),
                }
            }
        }
    };
}

reference! {
    /// A node that a fault is about: by name, by id, or by a role that is looked up when the fault
    /// begins.
    ///
    /// A test says which nodes have a role (`Lab::role`). Two roles are known everywhere: `all` is
    /// all nodes, and `rest` all but those on the other side of a partition.
    NodeRef, NodeId
}
reference! {
    /// A link that a fault is about: by name, by id, or by a role.
    LinkRef, LinkId
}

impl NodeRef {
    /// Returns all nodes of the lab.
    pub fn all() -> Self {
        Self::role(ALL)
    }

    /// Returns the nodes that are not on the other side of a partition.
    pub fn rest() -> Self {
        Self::role(REST)
    }
}
