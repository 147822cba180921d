//! The Rust files of this repository, each read and parsed once for all rules.
//!
//! A syntax tree cannot be shared between the threads of tests, so that what the rules want of it
//! is taken when it is parsed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::imports::Imports;
use crate::items::Findings;

/// A Rust file of the repository.
pub(crate) struct Source {
    /// Path from the root of the repository, such as `harness/src/lib.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Items that the file declares, and paths that it names.
    pub(crate) imports: Imports,
    pub(crate) findings: Findings,
}

impl Source {
    /// Parses a file.
    ///
    /// # Panics
    /// The text is no Rust.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let module = CRATES
            .iter()
            .find_map(|(_, folder)| module_of(folder, path));
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            imports: Imports::of(&syntax, module.unwrap_or_default()),
            findings: Findings::of(&syntax, is_test(path)),
        }
    }

    /// Returns whether the file holds nothing but tests: unit tests in a file of their own,
    /// integration tests, benchmarks, fuzz targets.
    pub(crate) fn is_test(&self) -> bool {
        is_test(&self.path)
    }
}

fn is_test(path: &str) -> bool {
    ["tests/", "fixtures/tests/", "fuzz/"]
        .iter()
        .any(|folder| path.starts_with(folder))
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.ends_with("/testing.rs")
}

/// Returns all Rust files that git tracks or would track, by path.
pub(crate) fn sources() -> Vec<Source> {
    let root = root();
    let mut files = Vec::new();
    for folder in ["harness", "fixtures", "tests", "xtask", "fuzz"] {
        walk(&root.join(folder), &mut files);
    }
    files.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a file that was listed can be read");
        let path = path
            .strip_prefix(&root)
            .expect("the file is below the root");
        Source::new(&path.to_string_lossy(), &text)
    };
    files.iter().map(read).collect()
}

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of the repository can be read");
    for entry in entries {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            // Build output and fuzzers' inputs are no sources.
            if !["target", "corpus", "artifacts"]
                .iter()
                .any(|name| path.ends_with(name))
            {
                walk(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The crates whose modules form a tree below a folder: name and folder.
pub(crate) const CRATES: [(&str, &str); 6] = [
    ("snowglobe_history", "harness/history/src"),
    ("snowglobe_kernel", "harness/kernel/src"),
    ("snowglobe_model", "harness/model/src"),
    ("snowglobe_text", "harness/text/src"),
    ("snowglobe", "harness/src"),
    ("snowglobe_fixtures", "fixtures/src"),
];

/// Returns the module path of a file below the `src` folder of its crate: empty for `lib.rs`.
pub(crate) fn module_of(folder: &str, path: &str) -> Option<Vec<String>> {
    let below = path
        .strip_prefix(folder)?
        .strip_prefix('/')?
        .strip_suffix(".rs")?;
    let mut parts: Vec<String> = below.split('/').map(str::to_owned).collect();
    if parts
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        parts.pop();
    }
    Some(parts)
}

/// Files of a crate by module path, without those that hold only tests.
pub(crate) fn modules<'s>(
    sources: &'s [Source],
    folder: &str,
) -> BTreeMap<Vec<String>, &'s Source> {
    let production = sources.iter().filter(|source| !source.is_test());
    production
        .filter_map(|source| Some((module_of(folder, &source.path)?, source)))
        .collect()
}
