//! Trees of TOML, with the places of values.

use serde_core::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::TreeError;
use crate::from_tree::FromTree;
use crate::tree::{Tree, TreeContent, TreeEntry};

impl Tree {
    /// Reads TOML.
    ///
    /// # Errors
    /// The text is no TOML.
    pub fn from_toml(text: &str) -> Result<Self, TreeError> {
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            TreeError::new(error.message(), Some(at))
        })?;
        let at = table.span().start;
        read_table(&table.into_inner(), at)
    }

    /// Writes a value as TOML.
    ///
    /// # Errors
    /// The value has no text form, or none in TOML.
    pub fn write_toml(value: &(impl Serialize + ?Sized)) -> Result<String, TreeError> {
        toml::to_string(&Self::of(value)?).map_err(|error| TreeError::new(error.to_string(), None))
    }

    /// Reads a value from TOML.
    ///
    /// # Errors
    /// The text is no TOML, or no such value.
    pub fn read_toml<T: FromTree>(text: &str) -> Result<T, TreeError> {
        T::from_tree(&Self::from_toml(text)?)
    }
}

fn read_table(table: &DeTable<'_>, at: usize) -> Result<Tree, TreeError> {
    let read_entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        Ok(TreeEntry {
            key: name.clone().into_owned(),
            at: Some(key.span().start),
            value: read(value)?,
        })
    };
    let mut entries = table
        .iter()
        .map(read_entry)
        .collect::<Result<Vec<_>, TreeError>>()?;
    // A table of TOML is sorted by its keys. The first mistake is the one that stands first.
    entries.sort_by_key(|entry| entry.at);
    Ok(Tree {
        content: TreeContent::Table(entries),
        at: Some(at),
    })
}

fn read(value: &Spanned<DeValue<'_>>) -> Result<Tree, TreeError> {
    let at = value.span().start;
    let content = match value.get_ref() {
        DeValue::String(text) => TreeContent::Text(text.clone().into_owned()),
        DeValue::Boolean(it) => TreeContent::Bool(*it),
        DeValue::Integer(number) => {
            let read = i128::from_str_radix(number.as_str(), number.radix());
            let wrong = |_| TreeError::new("integer number overflowed", Some(at));
            TreeContent::Integer(read.map_err(wrong)?)
        }
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(it) => TreeContent::Float(it),
            Err(_) => return Err(TreeError::new("invalid floating-point number", Some(at))),
        },
        DeValue::Datetime(time) => TreeContent::Text(time.to_string()),
        DeValue::Array(list) => {
            let trees = list.iter().map(read).collect::<Result<_, _>>()?;
            TreeContent::List(trees)
        }
        DeValue::Table(table) => return read_table(table, at),
    };
    Ok(Tree {
        content,
        at: Some(at),
    })
}
