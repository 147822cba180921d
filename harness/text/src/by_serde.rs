//! Trees of whatever serde reads, and to whatever serde writes.

use std::fmt;

use serde_core::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_core::ser::{self, Serialize, SerializeMap, Serializer};

use crate::from_tree::FromTree;
use crate::tree::{Tree, TreeContent, TreeEntry};

/// Reads a value by way of a tree. The format has to describe itself, as JSON, YAML and TOML do.
///
/// # Errors
/// The text is wrong, or no such value.
pub fn deserialize<'de, T: FromTree, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let tree = Tree::deserialize(from)?;
    T::from_tree(&tree).map_err(D::Error::custom)
}

/// Implements `serde_core::Deserialize` for a type that implements [`FromTree`] by hand.
#[macro_export]
macro_rules! deserialize_by_tree {
    ($type:ty) => {
        impl<'de> ::serde_core::Deserialize<'de> for $type {
            fn deserialize<D: ::serde_core::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::deserialize(from)
            }
        }
    };
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(TreeVisitor)
    }
}

/// Writes the tree. A table leaves out the keys that have no value.
impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.content {
            TreeContent::Nothing => to.serialize_none(),
            TreeContent::Bool(it) => to.serialize_bool(*it),
            TreeContent::Integer(it) => match (i64::try_from(*it), u64::try_from(*it)) {
                (Ok(it), _) => to.serialize_i64(it),
                (_, Ok(it)) => to.serialize_u64(it),
                _ => Err(ser::Error::custom("a number is too large")),
            },
            TreeContent::Float(it) => to.serialize_f64(*it),
            TreeContent::Text(it) => to.serialize_str(it),
            TreeContent::List(list) => to.collect_seq(list),
            TreeContent::Table(table) => {
                let mut map = to.serialize_map(None)?;
                for entry in table {
                    if entry.value.content != TreeContent::Nothing {
                        map.serialize_entry(&entry.key, &entry.value)?;
                    }
                }
                map.end()
            }
        }
    }
}

fn tree<E>(content: TreeContent) -> Result<Tree, E> {
    Ok(Tree { content, at: None })
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, it: bool) -> Result<Tree, E> {
        tree(TreeContent::Bool(it))
    }

    fn visit_i64<E: Error>(self, it: i64) -> Result<Tree, E> {
        tree(TreeContent::Integer(it.into()))
    }

    fn visit_u64<E: Error>(self, it: u64) -> Result<Tree, E> {
        tree(TreeContent::Integer(it.into()))
    }

    fn visit_i128<E: Error>(self, it: i128) -> Result<Tree, E> {
        tree(TreeContent::Integer(it))
    }

    fn visit_f64<E: Error>(self, it: f64) -> Result<Tree, E> {
        tree(TreeContent::Float(it))
    }

    fn visit_str<E: Error>(self, it: &str) -> Result<Tree, E> {
        tree(TreeContent::Text(it.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        tree(TreeContent::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Tree, E> {
        tree(TreeContent::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
        Tree::deserialize(from)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
        Tree::deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut trees = Vec::new();
        while let Some(next) = list.next_element()? {
            trees.push(next);
        }
        tree(TreeContent::List(trees))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries: Vec<TreeEntry> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if entries.iter().any(|entry| entry.key == key) {
                return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
            }
            let value = map.next_value()?;
            let at = None;
            entries.push(TreeEntry { key, at, value });
        }
        tree(TreeContent::Table(entries))
    }
}
