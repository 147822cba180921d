//! Tests of stores take a directory that is removed whatever modes its files have.

use crate::source::Source;
use crate::{SOURCES, assert_none};

const TYPE: &str = "fixtures/tests/scratch/mod.rs";

/// Returns the lines that make a directory which an ordinary user cannot remove once a read-only
/// tree is in it.
fn made_by_hand(source: &Source) -> Vec<String> {
    let lines = source.text.lines().enumerate();
    lines
        .filter(|(_, line)| line.contains("tempdir"))
        .map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
        .collect()
}

#[test]
fn tests_of_stores_remove_what_they_made() {
    let makes_stores = |path: &str| {
        ["hostile", "provisioning", "scratch"]
            .iter()
            .any(|suite| path.starts_with(&format!("fixtures/tests/{suite}/")))
    };
    let (itself, others): (Vec<&Source>, Vec<&Source>) = SOURCES
        .iter()
        .filter(|it| makes_stores(&it.path))
        .partition(|it| it.path == TYPE);
    let found: Vec<String> = others.into_iter().flat_map(made_by_hand).collect();
    assert_none("take `Scratch`", &found);
    assert!(itself.into_iter().any(|it| !made_by_hand(it).is_empty()));
}

#[test]
fn a_directory_that_may_stay_is_found() {
    let text = "fn f() { let scratch = tempfile::tempdir()?; }";
    assert_eq!(
        made_by_hand(&Source::new("fixtures/tests/provisioning/a.rs", text)).len(),
        1
    );
}
