//! The tables in which a folder says what its files are for.

use std::collections::BTreeSet;

use crate::source::Source;
use crate::{SOURCES, assert_none};

/// Returns the rows of the table of files, each with the names in its first column, if the module
/// has such a table.
pub(crate) fn rows(text: &str) -> Option<Vec<Vec<&str>>> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let mut rows = lines.filter_map(|line| line.trim().strip_prefix("| "));
    rows.find(|row| row.starts_with("file ") || row.starts_with("module "))?;
    let first = rows.map(|row| row.split(" |").next().unwrap_or_default());
    Some(first.map(names).collect())
}

/// Returns the modules that a column names: of `a`, `b/c.rs` and `d.rs` those are a, b and d.
fn names(column: &str) -> Vec<&str> {
    let marked = column.split('`').skip(1).step_by(2);
    let first = marked.filter_map(|it| it.split('/').next());
    first.map(|it| it.trim_end_matches(".rs")).collect()
}

/// Returns the modules in files of their own that a file declares.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter_map(|line| line.strip_suffix(';'));
    let words = lines.filter_map(|line| {
        let (before, name) = line.rsplit_once("mod ")?;
        let visible = before.is_empty() || before.starts_with("pub");
        (visible && !name.contains(' ')).then_some(name)
    });
    words.filter(|name| !matches!(*name, "tests" | "testing"))
}

fn unnamed(source: &Source) -> Vec<String> {
    let Some(rows) = rows(&source.text) else {
        return Vec::new();
    };
    let named: BTreeSet<&str> = rows.into_iter().flatten().collect();
    declared(&source.text)
        .filter(|name| !named.contains(name))
        .map(|name| format!("{}: `{name}` is not in the table", source.path))
        .collect()
}

#[test]
fn tables_of_files_name_every_file() {
    let found: Vec<String> = SOURCES.iter().flat_map(unnamed).collect();
    assert_none("tables of files name every file", &found);
}

#[test]
fn a_file_that_is_missing_in_its_table_is_found() {
    let text = "//! A.\n//!\n//! | file | role |\n//! |---|---|\n//! | `a`, `b/c` | x |\n\nmod a;\npub mod b;\npub(crate) mod d;\nmod tests;\n";
    let source = Source::new("harness/src/mod.rs", text);
    assert_eq!(
        unnamed(&source),
        ["harness/src/mod.rs: `d` is not in the table"]
    );
}
