//! One line of JSON, as editors and other programs read it.

use std::collections::BTreeMap;

use snowglobe_text::{Tree, TreeContent, TreeEntry};

/// A table of JSON, whose fields are written in the order of their names.
pub(in crate::runner) struct JsonLine(BTreeMap<&'static str, TreeContent>);

impl JsonLine {
    /// Makes the line of an event of a `kind` of thing.
    pub(in crate::runner) fn new(kind: &str, event: &str) -> Self {
        Self::empty().with("type", kind).with("event", event)
    }

    /// Makes a table without fields.
    pub(in crate::runner) fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a field.
    pub(in crate::runner) fn with(
        mut self,
        name: &'static str,
        value: impl Into<TreeContent>,
    ) -> Self {
        self.set(name, value);
        self
    }

    /// Adds a field, or replaces it.
    pub(in crate::runner) fn set(&mut self, name: &'static str, value: impl Into<TreeContent>) {
        self.0.insert(name, value.into());
    }

    /// Returns the table.
    pub(in crate::runner) fn into_tree(self) -> Tree {
        let entry = |(name, content): (&str, TreeContent)| TreeEntry {
            key: name.to_owned(),
            at: None,
            value: content.into(),
        };
        TreeContent::Table(self.0.into_iter().map(entry).collect()).into()
    }
}

impl From<JsonLine> for String {
    fn from(line: JsonLine) -> Self {
        line.into_tree().to_json() + "\n"
    }
}
