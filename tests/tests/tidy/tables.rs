//! The tables in which a folder says what its files are for.

use std::collections::BTreeSet;

use crate::source::Source;
use crate::{SOURCES, assert_none};

/// Returns the names in the first column of the table of files, if the module has one.
fn named(text: &str) -> Option<BTreeSet<&str>> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let mut rows = lines.filter_map(|line| line.trim().strip_prefix("| "));
    rows.find(|row| row.starts_with("file ") || row.starts_with("module "))?;
    let first = rows.filter_map(|row| row.split(" |").next());
    let marked = first.flat_map(|column| column.split('`').skip(1).step_by(2));
    let name = |it: &'_ str| it.split('/').next().unwrap_or_default().len();
    Some(
        marked
            .map(|it| it[..name(it)].trim_end_matches(".rs"))
            .collect(),
    )
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
    let Some(named) = named(&source.text) else {
        return Vec::new();
    };
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
