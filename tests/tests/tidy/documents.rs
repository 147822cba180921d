//! The documents for newcomers name what is there, and explain few words.

use crate::{assert_none, source};

/// Most words that a newcomer is asked to learn.
const MOST_WORDS: usize = 40;

const DOCUMENTS: [&str; 3] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"];

/// Returns the words that the glossary of a document explains.
fn glossary(text: &str) -> Vec<&str> {
    let (_, after) = text.split_once("## Glossary").unwrap_or_default();
    let rows = after.lines().filter_map(|line| line.strip_prefix("| "));
    let words = rows.filter_map(|row| Some(row.split_once(" |")?.0));
    words.filter(|word| *word != "word").collect()
}

/// Returns the paths of the repository that a document names, whole, in code marks.
fn paths(text: &str) -> Vec<&str> {
    const FOLDERS: [&str; 6] = [".ci/", "fixtures/", "fuzz/", "harness/", "tests/", "xtask/"];
    let marked = text.split('`').skip(1).step_by(2);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-./".contains(c);
    marked
        .filter(|it| FOLDERS.iter().any(|folder| it.starts_with(folder)))
        .filter(|it| it.chars().all(plain))
        .collect()
}

fn missing(document: &str, text: &str) -> Vec<String> {
    let root = source::root();
    let gone = paths(text)
        .into_iter()
        .filter(|path| !root.join(path).exists());
    gone.map(|path| format!("{document}: {path}")).collect()
}

fn read(document: &str) -> String {
    std::fs::read_to_string(source::root().join(document)).expect("the document can be read")
}

#[test]
fn the_glossary_has_at_most_forty_words() {
    let text = read("ARCHITECTURE.md");
    let words = glossary(&text);
    assert!(words.contains(&"trial"), "{words:?}");
    assert!(words.len() <= MOST_WORDS, "{}: {words:?}", words.len());
}

#[test]
fn words_of_a_glossary_are_found() {
    let text =
        "| a | b |\n## Glossary\n\n| word | meaning |\n|---|---|\n| lab | x |\n| node | y |\n";
    assert_eq!(glossary(text), ["lab", "node"]);
}

#[test]
fn documents_name_paths_that_exist() {
    let found: Vec<String> = DOCUMENTS
        .iter()
        .flat_map(|document| missing(document, &read(document)))
        .collect();
    assert_none("documents name paths that exist", &found);
    assert!(paths(&read("CONTRIBUTING.md")).len() > 20);
}

#[test]
fn a_path_that_is_gone_is_found() {
    let text =
        "See `harness/src/lib.rs`, `harness/src/gone.rs`, `fixtures/src/NAME.rs` and `exec/`.";
    assert_eq!(missing("A.md", text), ["A.md: harness/src/gone.rs"]);
}
