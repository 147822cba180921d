//! The types of std as they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::TreeError;
use crate::tree::{Tree, TreeContent};

/// A type that is read from a tree.
pub trait FromTree: Sized {
    /// Reads a value.
    ///
    /// # Errors
    /// The tree is no such value.
    fn from_tree(tree: &Tree) -> Result<Self, TreeError>;

    /// Returns the value of a field that is absent, if the type has such a value.
    fn if_absent() -> Option<Self> {
        None
    }
}

/// A value with its place in the text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// The byte of the text at which the value begins.
    pub at: usize,
}

impl<T: FromTree> FromTree for Placed<T> {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        Ok(Self {
            value: T::from_tree(tree)?,
            at: tree.at.unwrap_or(0),
        })
    }
}

impl FromTree for bool {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        let TreeContent::Bool(it) = tree.content else {
            return Err(tree.unexpected("a boolean"));
        };
        Ok(it)
    }
}

impl FromTree for f64 {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        match tree.content {
            TreeContent::Float(it) => Ok(it),
            TreeContent::Integer(it) => Ok(it as f64),
            TreeContent::Nothing
            | TreeContent::Bool(_)
            | TreeContent::Text(_)
            | TreeContent::List(_)
            | TreeContent::Table(_) => Err(tree.unexpected("a number")),
        }
    }
}

macro_rules! integers {
    ($($type:ident)+) => {$(
        impl FromTree for $type {
            fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
                // The name of the type says nothing to who writes a file.
                let range = || format!("a whole number from {} to {}", $type::MIN, $type::MAX);
                let TreeContent::Integer(it) = tree.content else {
                    return Err(tree.unexpected(&range()));
                };
                it.try_into().map_err(|_| {
                    tree.error(&format_args!("invalid value: integer `{it}`, expected {}", range()))
                })
            }
        }
    )+};
}

integers!(u8 u16 u32 u64 usize i16 i32 i64);

impl FromTree for String {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        tree.text("a string").map(str::to_owned)
    }
}

impl FromTree for PathBuf {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        tree.text("path string").map(PathBuf::from)
    }
}

fn address<T: FromStr<Err = std::net::AddrParseError>>(
    tree: &Tree,
    expected: &str,
) -> Result<T, TreeError> {
    let text = tree.text(expected)?;
    text.parse().map_err(|why| tree.error(&why))
}

impl FromTree for IpAddr {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        address(tree, "IP address")
    }
}

impl FromTree for Ipv4Addr {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        address(tree, "IPv4 address")
    }
}

impl FromTree for Ipv6Addr {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        address(tree, "IPv6 address")
    }
}

impl FromTree for SocketAddrV4 {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        address(tree, "IPv4 socket address")
    }
}

impl FromTree for SocketAddr {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        address(tree, "socket address")
    }
}

impl<T: FromTree> FromTree for Option<T> {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        if let TreeContent::Nothing = tree.content {
            return Ok(None);
        }
        T::from_tree(tree).map(Some)
    }

    fn if_absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: FromTree> FromTree for Vec<T> {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        let list = tree.list("a sequence")?;
        list.iter().map(T::from_tree).collect()
    }
}

impl<T: FromTree + Ord> FromTree for BTreeSet<T> {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        let list = tree.list("a sequence")?;
        list.iter().map(T::from_tree).collect()
    }
}

fn sized<'t>(tree: &'t Tree, size: usize, expected: &str) -> Result<&'t [Tree], TreeError> {
    let expected = format!("{expected} of {size}");
    let list = tree.list(&expected)?;
    if list.len() == size {
        return Ok(list);
    }
    let length = list.len();
    Err(tree.error(&format_args!(
        "invalid length {length}, expected {expected}"
    )))
}

impl<T: FromTree> FromTree for [T; 2] {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        let list = sized(tree, 2, "an array")?;
        Ok([T::from_tree(&list[0])?, T::from_tree(&list[1])?])
    }
}

impl<T: FromTree, U: FromTree> FromTree for (T, U) {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        let list = sized(tree, 2, "a tuple")?;
        Ok((T::from_tree(&list[0])?, U::from_tree(&list[1])?))
    }
}

impl<V: FromTree> FromTree for BTreeMap<String, V> {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        let table = tree.table("a map")?;
        let read = |entry: &crate::TreeEntry| Ok((entry.key.clone(), V::from_tree(&entry.value)?));
        table.iter().map(read).collect()
    }
}

/// The entries of a table, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InOrder<V>(pub Vec<(String, V)>);

impl<V: FromTree> FromTree for InOrder<V> {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        let table = tree.table("a map")?;
        let read = |entry: &crate::TreeEntry| Ok((entry.key.clone(), V::from_tree(&entry.value)?));
        let entries: Result<_, _> = table.iter().map(read).collect();
        entries.map(Self)
    }
}

impl FromTree for Tree {
    fn from_tree(tree: &Tree) -> Result<Self, TreeError> {
        Ok(tree.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_does_not_fit_is_told_the_range() {
        let told = |content| {
            u16::from_tree(&Tree::from(content))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            told(TreeContent::Integer(-1)),
            "invalid value: integer `-1`, expected a whole number from 0 to 65535"
        );
        assert_eq!(
            told(TreeContent::Text("x".to_owned())),
            "invalid type: string \"x\", expected a whole number from 0 to 65535"
        );
        let seven = Tree::from(TreeContent::Integer(7));
        assert_eq!(u16::from_tree(&seven).unwrap(), 7);
    }
}
