//! The walls between modules and crates: who may import from whom.

use crate::imports::Graph;
use crate::source::{self, CRATES, Source};
use crate::{SOURCES, assert_none, tables};

/// Modules of `snowglobe` from low to high: each may import from those before it only, and
/// from the crates below it. `lib.rs`, `prelude` and `private` pass on what all have.
const LOW_TO_HIGH: &[&str] = &[
    "fault",
    "files",
    "impair",
    "topology",
    "trial",
    "sandbox",
    "remedy",
    "attempts",
    "events",
    "probe",
    "observe",
    "netem",
    "wire",
    "lab",
    "history",
    "fixtures",
    "dhcp",
    "dhcp6",
    "dns",
    "ndp",
    "runner",
    "exec",
    "mimic",
    "doctor",
    "before_main",
    "prelude",
    "private",
];

#[test]
fn modules_of_snowglobe_import_downward_only() {
    let rank = |name: &str| LOW_TO_HIGH.iter().position(|it| *it == name);
    let mut findings = Vec::new();
    for (from, to) in Graph::of(&SOURCES, "harness/src").top_level() {
        let Some(own) = rank(&from[0]) else {
            findings.push(format!("module `{}` has no place in LOW_TO_HIGH", from[0]));
            continue;
        };
        let up = to
            .iter()
            .filter(|to| rank(&to[0]).is_none_or(|to| to > own));
        findings.extend(up.map(|to| format!("`{}` imports from `{}`", from[0], to[0])));
    }
    assert_none("imports go down", &findings);
}

#[test]
fn an_import_upward_is_found() {
    let sources = [
        Source::new("harness/src/lib.rs", "mod low; mod high;"),
        Source::new(
            "harness/src/low.rs",
            "fn f() { println!(\"{}\", crate::high::SIZE) }",
        ),
        Source::new(
            "harness/src/high.rs",
            "use super::low::f; pub const SIZE: u8 = 1;",
        ),
    ];
    let top = Graph::of(&sources, "harness/src").top_level();
    assert!(top[&["low".to_owned()][..]].contains(&["high".to_owned()][..]));
    assert!(top[&["high".to_owned()][..]].contains(&["low".to_owned()][..]));
}

/// Imports within `lab/` that go up the table of `harness/src/lab/mod.rs`, each with its reason.
const UP_IN_LAB: [(&str, &str, &str); 1] =
    [("lab", "faults", "a lab keeps the roles of its nodes")];

/// Returns the imports within `lab/` that go up the table.
fn up_in_lab(sources: &[Source]) -> Vec<(String, String)> {
    let table = sources
        .iter()
        .find(|it| it.path == "harness/src/lab/mod.rs");
    let rows = table.and_then(|it| tables::rows(&it.text));
    let rows = rows.unwrap_or_default();
    let rank = |name: &str| rows.iter().position(|row| row.contains(&name));
    let mut up = Vec::new();
    for (from, to) in &Graph::of(sources, "harness/src").edges {
        let [lab, from, ..] = from.as_slice() else {
            continue;
        };
        let within = to.iter().filter_map(|to| match to.as_slice() {
            [top, to, ..] if top == lab && lab == "lab" && to != from => Some(to),
            _ => None,
        });
        let higher =
            within.filter(|to| rank(from).is_none_or(|own| rank(to).is_none_or(|to| to < own)));
        up.extend(higher.map(|to| (from.clone(), to.clone())));
    }
    up.sort();
    up.dedup();
    up
}

#[test]
fn folders_of_the_lab_import_down_its_table() {
    let excepted =
        |(from, to): &(String, String)| UP_IN_LAB.iter().any(|(a, b, _)| a == from && b == to);
    let up = up_in_lab(&SOURCES);
    let found: Vec<String> = up
        .iter()
        .filter(|it| !excepted(it))
        .map(|(from, to)| format!("`lab/{from}` imports from `lab/{to}`"))
        .collect();
    assert_none("imports go down the table of lab/mod.rs", &found);
    let is_there = |from: &str, to: &str| up.iter().any(|it| it.0 == from && it.1 == to);
    let stale: Vec<String> = UP_IN_LAB
        .iter()
        .filter(|(from, to, _)| !is_there(from, to))
        .map(|(from, to, _)| format!("`{from}` does not import from `{to}`"))
        .collect();
    assert_none("exceptions that nothing needs", &stale);
}

#[test]
fn an_import_up_the_table_of_the_lab_is_found() {
    let sources = [
        Source::new("harness/src/lib.rs", "mod lab;"),
        Source::new(
            "harness/src/lab/mod.rs",
            "//! | file | role |\n//! |---|---|\n//! | `high/` | x |\n//! | `low`, `other` | x |\nmod high; mod low; mod other;",
        ),
        Source::new("harness/src/lab/high.rs", "pub struct A(super::other::B);"),
        Source::new("harness/src/lab/low.rs", "pub struct C(super::high::A);"),
        Source::new("harness/src/lab/other.rs", "pub struct B(super::low::C);"),
    ];
    assert_eq!(up_in_lab(&sources), [("low".to_owned(), "high".to_owned())]);
}

fn circles(folder: &str, most: usize) -> Vec<String> {
    let graph = Graph::of(&SOURCES, folder);
    let show = |circle: &Vec<&Vec<String>>| {
        let names: Vec<String> = circle.iter().map(|path| path.join("::")).collect();
        format!("{folder}: {} files: {}", circle.len(), names.join(", "))
    };
    let circles = graph.circles();
    circles
        .iter()
        .filter(|circle| circle.len() > most)
        .map(show)
        .collect()
}

/// Returns the number of files in the longest import circle of a crate; 0 if there is none.
pub(crate) fn longest_circle(folder: &str) -> usize {
    let graph = Graph::of(&SOURCES, folder);
    graph.circles().first().map_or(0, Vec::len)
}

#[test]
fn no_circle_of_files_is_longer_than_four() {
    let found: Vec<String> = CRATES
        .iter()
        .flat_map(|(_, folder)| circles(folder, 4))
        .collect();
    assert_none("at most four files import each other", &found);
}

#[test]
fn a_circle_through_a_re_export_is_found() {
    let sources = [
        Source::new("harness/src/lib.rs", "mod a;"),
        Source::new("harness/src/a/mod.rs", "mod b; mod c; pub use b::B;"),
        Source::new("harness/src/a/b.rs", "use super::c::C; pub struct B(C);"),
        Source::new(
            "harness/src/a/c.rs",
            "pub struct C; #[cfg(not(test))] fn f(_: super::B) {}",
        ),
    ];
    let graph = Graph::of(&sources, "harness/src");
    let circles = graph.circles();
    let names: Vec<Vec<String>> = circles
        .iter()
        .map(|it| it.iter().map(|path| path.join("::")).collect())
        .collect();
    assert_eq!(names, [["a::b", "a::c"]]);
}

#[test]
fn code_for_tests_makes_no_circle() {
    let sources = [
        Source::new("harness/src/lib.rs", "mod a; mod b;"),
        Source::new("harness/src/a.rs", "use crate::b::B; pub struct A(B);"),
        Source::new(
            "harness/src/b.rs",
            "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
        ),
    ];
    assert!(Graph::of(&sources, "harness/src").circles().is_empty());
}

/// The dependencies that each crate must not have, by the names in its `Cargo.toml`.
const FORBIDDEN: [(&str, &[&str]); 7] = [
    ("harness/derive", BUILDS_FIRST),
    (
        "harness/text",
        &[
            "snowglobe",
            "snowglobe-kernel",
            "snowglobe-model",
            "snowglobe-fixtures",
            "nix",
            "libc",
            "serde",
            "serde_json",
            "tokio",
        ],
    ),
    (
        "harness/history",
        &[
            "snowglobe",
            "snowglobe-kernel",
            "snowglobe-model",
            "snowglobe-fixtures",
            "nix",
            "libc",
            "tokio",
        ],
    ),
    (
        "harness/kernel",
        &[
            "snowglobe",
            "snowglobe-model",
            "snowglobe-fixtures",
            "tokio",
            "toml",
        ],
    ),
    (
        "harness/model",
        &[
            "snowglobe",
            "snowglobe-kernel",
            "nix",
            "libc",
            "tokio",
            "rtnetlink",
            "tempfile",
        ],
    ),
    ("fixtures", &["snowglobe", "snowglobe-kernel"]),
    ("harness/macros", BUILDS_FIRST),
];

/// What our macros do without, since everything waits for them in a first build.
const BUILDS_FIRST: &[&str] = &[
    "snowglobe",
    "snowglobe-kernel",
    "snowglobe-model",
    "syn",
    "quote",
    "proc-macro2",
];

#[test]
fn crates_depend_downward_only() {
    let mut findings = Vec::new();
    for (folder, forbidden) in FORBIDDEN {
        let path = source::root().join(folder).join("Cargo.toml");
        let text = std::fs::read_to_string(&path).expect("the crate's manifest can be read");
        let named = forbidden.iter().filter(|name| depends_on(&text, name));
        findings.extend(named.map(|name| format!("{folder} depends on {name}")));
    }
    assert_none("crates depend downward", &findings);
}

/// Returns whether the `[dependencies]` of a manifest name a crate.
fn depends_on(manifest: &str, name: &str) -> bool {
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = dependencies.split("\n[").next().unwrap_or_default();
    section.lines().any(|line| {
        let key = line.split(['=', '.', ' ']).next().unwrap_or_default();
        key == name
    })
}

#[test]
fn a_forbidden_dependency_is_found() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\nnix.workspace = true\n[dev-dependencies]\nlibc = \"0.2\"\n";
    assert!(depends_on(manifest, "nix"));
    assert!(!depends_on(manifest, "libc"));
}

/// Paths into the crates of system calls, which only the kernel crate names.
fn system_call_crates(source: &Source) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let named = |line: &str| {
        let mut words = line.split(|c| !is_path(c));
        words.any(|word| word.starts_with("nix::") || word.starts_with("libc::"))
    };
    let code = source.text.lines().enumerate();
    let code = code.filter(|(_, line)| !line.trim_start().starts_with("//"));
    let code = code.take_while(|(_, line)| !line.contains("#[cfg(test)]"));
    code.filter(|(_, line)| named(line))
        .map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
        .collect()
}

#[test]
fn only_the_kernel_crate_names_nix_and_libc() {
    let above = |path: &str| path.starts_with("harness/src") || path.starts_with("harness/model");
    let above = SOURCES.iter().filter(|it| above(&it.path) && !it.is_test());
    let found: Vec<String> = above.flat_map(system_call_crates).collect();
    assert_none("system calls are made by harness/kernel", &found);
}

#[test]
fn a_system_call_outside_of_the_kernel_crate_is_found() {
    let source = Source::new("harness/src/a.rs", "fn f() { nix::unistd::getpid(); }");
    assert_eq!(system_call_crates(&source).len(), 1);
}

/// Places where the model would reach for the outside world.
fn outside_world(source: &Source) -> Vec<String> {
    const NAMES: [&str; 8] = [
        "std::fs",
        "std::thread",
        "std::process",
        "Instant::now",
        "SystemTime",
        "std::env::",
        "TcpStream",
        "UdpSocket",
    ];
    let code = source
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"));
    let code = code.take_while(|(_, line)| !line.contains("#[cfg(test)]"));
    let uses = |line: &str| NAMES.iter().any(|name| line.contains(name));
    code.filter(|(_, line)| uses(line))
        .map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
        .collect()
}

fn is_pure(path: &str) -> bool {
    let pure = ["harness/model/src", "harness/history/src"];
    pure.iter().any(|folder| path.starts_with(folder))
}

#[test]
fn the_model_knows_no_files_no_clock_and_no_threads() {
    let model = SOURCES
        .iter()
        .filter(|source| is_pure(&source.path) && !source.is_test());
    let found: Vec<String> = model.flat_map(outside_world).collect();
    assert_none("the model is pure", &found);
}

#[test]
fn a_look_at_the_clock_is_found() {
    let source = Source::new(
        "harness/model/src/a.rs",
        "fn f() { std::time::Instant::now(); }",
    );
    assert_eq!(outside_world(&source).len(), 1);
}
