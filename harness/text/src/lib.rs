//! Values as trees: what TOML and the formats of serde have in common.
//!
//! A text becomes a [`Tree`] once, and each type reads the tree by a function that knows no format
//! (`FromTree`, which `snowglobe-derive` implements). So the code of a type is compiled once, and
//! not for each deserializer; and each error knows its place in the text, behind a tag or a
//! flattened field too, where serde forgets it.
//!
//! | module | role |
//! |---|---|
//! | `tree` | trees, and the looks into them |
//! | `from_tree` | the types of std as they are read |
//! | `by_serde` | trees of whatever serde reads |
//! | `by_toml` | trees of TOML, with the places of values |
//! | `to_tree` | trees of whatever serde writes |
//! | `json` | trees as JSON |
//! | `counted` | counted things in sentences |
//! | `quoted` | names in sentences |
//! | `error` | what is wrong with a tree, in the words of serde |

// A new variant of an enum of ours must be named by the compiler wherever the variant matters.
#![warn(clippy::wildcard_enum_match_arm)]

mod by_serde;
#[cfg(feature = "toml")]
mod by_toml;
mod counted;
mod error;
mod from_tree;
mod json;
mod quoted;
mod to_tree;
mod tree;

pub use by_serde::deserialize;
pub use counted::{counted, counted_are};
pub use error::TreeError;
pub use from_tree::{FromTree, InOrder, Placed};
pub use quoted::in_backticks;
pub use tree::{Tree, TreeContent, TreeEntry, TreeFields, content, is_name, no_content};
