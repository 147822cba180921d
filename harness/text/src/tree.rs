//! Trees, and the looks into them.

use std::fmt;

use serde_core::de::Unexpected;

use crate::error::TreeError;
use crate::from_tree::FromTree;

/// A value of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The value itself: a table, a list, a text, a number and so on.
    pub content: TreeContent,
    /// The byte of the text at which the value begins.
    pub at: Option<usize>,
}

/// The kinds of values.
#[derive(Clone, Debug, PartialEq)]
pub enum TreeContent {
    /// No value, as JSON's `null`.
    Nothing,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// A number with a point.
    Float(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// A table, in the order of the text.
    Table(Vec<TreeEntry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeEntry {
    /// The key.
    pub key: String,
    /// The byte of the text at which the key begins.
    pub at: Option<usize>,
    /// The value.
    pub value: Tree,
}

impl Tree {
    /// Makes an error at the place of this value.
    pub fn error(&self, why: &dyn fmt::Display) -> TreeError {
        TreeError::new(why.to_string(), self.at)
    }

    /// Makes the error that something else was expected in the place of this value.
    pub fn unexpected(&self, expected: &str) -> TreeError {
        let found = match &self.content {
            TreeContent::Nothing => Unexpected::Other("null"),
            TreeContent::Bool(it) => Unexpected::Bool(*it),
            TreeContent::Integer(it) => match i64::try_from(*it) {
                Ok(it) => Unexpected::Signed(it),
                Err(_) => Unexpected::Other("a large number"),
            },
            TreeContent::Float(it) => Unexpected::Float(*it),
            TreeContent::Text(it) => Unexpected::Str(it),
            TreeContent::List(_) => Unexpected::Seq,
            TreeContent::Table(_) => Unexpected::Map,
        };
        self.error(&format_args!("invalid type: {found}, expected {expected}"))
    }

    /// Returns the string, where `expected` was expected.
    ///
    /// # Errors
    /// The value is no string.
    pub fn text(&self, expected: &str) -> Result<&str, TreeError> {
        let TreeContent::Text(text) = &self.content else {
            return Err(self.unexpected(expected));
        };
        Ok(text)
    }

    /// Returns the values of the list, where `expected` was expected.
    ///
    /// # Errors
    /// The value is no list.
    pub fn list(&self, expected: &str) -> Result<&[Tree], TreeError> {
        let TreeContent::List(list) = &self.content else {
            return Err(self.unexpected(expected));
        };
        Ok(list)
    }

    /// Returns the entries of the table, where `expected` was expected.
    ///
    /// # Errors
    /// The value is no table.
    pub fn table(&self, expected: &str) -> Result<&[TreeEntry], TreeError> {
        let TreeContent::Table(table) = &self.content else {
            return Err(self.unexpected(expected));
        };
        Ok(table)
    }

    /// Returns the value of a key, if this is a table that has the key.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        let entries = self.table("").ok()?;
        let entry = entries.iter().find(|entry| entry.key == key)?;
        Some(&entry.value)
    }

    /// Returns the fields of a struct. The field `tag`, if it has a name, is none of them.
    ///
    /// # Errors
    /// The value is no table, or it `is_strict` and the table has other fields than those that are
    /// `known`.
    pub fn fields<'t>(
        &'t self,
        known: &'static [&'static str],
        is_strict: bool,
        tag: &'static str,
    ) -> Result<TreeFields<'t>, TreeError> {
        let TreeContent::Table(entries) = &self.content else {
            return Err(self.unexpected("a table"));
        };
        if is_strict {
            let is_unknown = |entry: &&TreeEntry| {
                entry.key != tag && !known.iter().any(|known| *known == entry.key)
            };
            if let Some(TreeEntry { key, at, .. }) = entries.iter().find(is_unknown) {
                return Err(TreeError::unknown("field", key, known, *at));
            }
        }
        Ok(TreeFields {
            entries,
            known,
            at: self.at,
        })
    }

    /// Returns the index of the variant that the field `tag` names.
    ///
    /// # Errors
    /// The value is no table, there is no such field, or it names none of the variants.
    pub fn tag(&self, tag: &'static str, names: &[&str]) -> Result<usize, TreeError> {
        let entries = self.table("a table")?;
        let Some(entry) = entries.iter().find(|entry| entry.key == tag) else {
            return Err(self.error(&format_args!("missing field `{tag}`")));
        };
        let name = entry.value.text("a string")?;
        index_of(name, names, entry.value.at)
    }

    /// Returns the index of the variant that this value names: a string, or the only key of a
    /// table; and what the key leads to.
    ///
    /// # Errors
    /// The value is neither, or names none of the variants.
    pub fn variant(&self, names: &[&str]) -> Result<(usize, Option<&Tree>), TreeError> {
        match &self.content {
            TreeContent::Text(name) => Ok((index_of(name, names, self.at)?, None)),
            TreeContent::Table(table) => match &table[..] {
                [entry] => Ok((index_of(&entry.key, names, entry.at)?, Some(&entry.value))),
                entries => Err(self.wrong_variant(entries, names)),
            },
            TreeContent::Nothing
            | TreeContent::Bool(_)
            | TreeContent::Integer(_)
            | TreeContent::Float(_)
            | TreeContent::List(_) => Err(self.unexpected("a string or a table")),
        }
    }
}

impl Tree {
    /// Makes the error of a table that does not have exactly one of these keys.
    fn wrong_variant(&self, entries: &[TreeEntry], names: &[&str]) -> TreeError {
        let is_unknown = |entry: &&TreeEntry| !names.iter().any(|it| is_name(&entry.key, it));
        if let Some(TreeEntry { key, at, .. }) = entries.iter().find(is_unknown) {
            return TreeError::unknown("variant", key, names, *at);
        }
        let keys: Vec<&str> = entries.iter().map(|it| it.key.as_str()).collect();
        match keys[..] {
            [] => self.error(&format_args!(
                "the table is empty, expected one of `{}`",
                names.join("`, `")
            )),
            _ => self.error(&format_args!(
                "`{}` exclude each other: take one of them",
                keys.join("` and `")
            )),
        }
    }
}

/// Finds a variant by its name, in which hyphens and underscores are the same.
///
/// Keys have underscores, as fields of Rust do, and values of schedules have hyphens. Nobody should
/// have to know which of the two a name has.
fn index_of(name: &str, names: &[&str], at: Option<usize>) -> Result<usize, TreeError> {
    let index = names.iter().position(|known| is_name(name, known));
    index.ok_or_else(|| TreeError::unknown("variant", name, names, at))
}

/// Returns whether a name in a text is this one, if hyphens and underscores are the same.
pub fn is_name(written: &str, known: &str) -> bool {
    let alike = |a: u8, b: u8| a == b || (matches!(a, b'-' | b'_') && matches!(b, b'-' | b'_'));
    let mut pairs = written.bytes().zip(known.bytes());
    written.len() == known.len() && pairs.all(|(a, b)| alike(a, b))
}

/// Checks that a variant without a value has none.
///
/// # Errors
/// There is a value.
pub fn no_content(inner: Option<&Tree>) -> Result<(), TreeError> {
    match inner {
        None => Ok(()),
        Some(tree) if matches!(&tree.content, TreeContent::Table(table) if table.is_empty()) => {
            Ok(())
        }
        Some(tree) => Err(tree.unexpected("unit variant")),
    }
}

/// Returns the value of a variant with one.
///
/// # Errors
/// There is no value.
pub fn content<'t>(tree: &Tree, inner: Option<&'t Tree>) -> Result<&'t Tree, TreeError> {
    inner.ok_or_else(|| tree.error(&"invalid type: unit variant, expected a variant with a value"))
}

/// The fields of a struct.
#[derive(Debug)]
pub struct TreeFields<'t> {
    entries: &'t [TreeEntry],
    known: &'static [&'static str],
    at: Option<usize>,
}

impl<'t> TreeFields<'t> {
    fn find(&self, name: &str) -> Option<&'t Tree> {
        let entry = self.entries.iter().find(|entry| entry.key == name);
        entry.map(|entry| &entry.value)
    }

    fn missing(&self, name: &str) -> TreeError {
        TreeError::new(format!("missing field `{name}`"), self.at)
    }

    /// Reads a field.
    ///
    /// # Errors
    /// The field is absent, unless its type allows that, or its value is wrong.
    pub fn take<T: FromTree>(&self, name: &str) -> Result<T, TreeError> {
        match self.find(name) {
            Some(tree) => T::from_tree(tree),
            None => T::if_absent().ok_or_else(|| self.missing(name)),
        }
    }

    /// Reads a field, or returns `absent`.
    ///
    /// # Errors
    /// The value of the field is wrong.
    pub fn take_or<T: FromTree>(&self, name: &str, absent: T) -> Result<T, TreeError> {
        self.find(name).map_or(Ok(absent), T::from_tree)
    }

    /// Reads a field by a function.
    ///
    /// # Errors
    /// The field is absent, or its value is wrong.
    pub fn take_by<T>(&self, name: &str, read: ReadTree<T>) -> Result<T, TreeError> {
        match self.find(name) {
            Some(tree) => read(tree),
            None => Err(self.missing(name)),
        }
    }

    /// Reads a field by a function, or returns `absent`.
    ///
    /// # Errors
    /// The value of the field is wrong.
    pub fn take_by_or<T>(&self, name: &str, read: ReadTree<T>, absent: T) -> Result<T, TreeError> {
        self.find(name).map_or(Ok(absent), read)
    }

    /// Returns a table of all fields that are not known.
    pub fn rest(&self) -> Tree {
        let is_known = |entry: &&TreeEntry| self.known.iter().any(|known| *known == entry.key);
        let rest = self.entries.iter().filter(|entry| !is_known(entry));
        Tree {
            content: TreeContent::Table(rest.cloned().collect()),
            at: self.at,
        }
    }
}

/// A function that reads a value.
type ReadTree<T> = fn(&Tree) -> Result<T, TreeError>;
