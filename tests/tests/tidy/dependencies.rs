//! The crates that a first build of a project with snowglobe compiles.

use std::process::Command;

use crate::assert_none;

/// Crates that the default features of `snowglobe` may need: 25 on 2026-11-30.
const MOST: usize = 30;

/// Crates that the default features do without.
///
/// The crates that read Rust for macros, and serde's macro above them, come before everything else
/// in a first build. While serde_json is among the dependencies of a program, rustc cannot infer
/// the types of some suites any more.
const UNWANTED: [&str; 6] = [
    "linkme",
    "proc-macro2",
    "quote",
    "serde_derive",
    "serde_json",
    "syn",
];

/// Returns the names in a list of `cargo tree --prefix none`, each once.
fn names(tree: &str) -> Vec<&str> {
    let mut names: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Returns what is wrong with a list of crates.
fn findings(names: &[&str]) -> Vec<String> {
    let unwanted = names.iter().filter(|name| UNWANTED.contains(name));
    let mut findings: Vec<String> = unwanted.map(|name| format!("{name} is back")).collect();
    if names.len() > MOST {
        findings.push(format!("{} crates: {}", names.len(), names.join(", ")));
    }
    findings
}

#[test]
fn a_first_build_compiles_few_crates() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = "tree --offline -p snowglobe -e normal,build --prefix none";
    let output = Command::new(cargo)
        .args(arguments.split(' '))
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let tree = String::from_utf8_lossy(&output.stdout);
    assert_none(
        &format!("the default features need at most {MOST} crates"),
        &findings(&names(&tree)),
    );
}

#[test]
fn a_crate_too_many_is_found() {
    let tree = "snowglobe v0.1.0 (/x)\nsyn v2.0.0\nsyn v1.0.0\nserde_core v1.0.228 (*)\n";
    assert_eq!(names(tree), ["serde_core", "snowglobe", "syn"]);
    assert_eq!(findings(&names(tree)), ["syn is back"]);
    let many: Vec<String> = (0..=MOST).map(|number| format!("a{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(findings(&many).len(), 1);
}
