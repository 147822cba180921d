//! One file of the kernel crate opens sysctls, and one opens namespaces.

use crate::source::Source;
use crate::{SOURCES, assert_none};

/// Files that name such paths, each with its reason.
const NAMING: [(&str, &str); 3] = [
    ("harness/kernel/src/procfs/sysctls.rs", "the way to sysctls"),
    ("harness/kernel/src/namespace.rs", "the way to namespaces"),
    (
        "harness/src/sandbox/trial/mounts.rs",
        "places over which a mount is laid",
    ),
];

/// Returns the lines whose code names a sysctl or a namespace by its path in `/proc`.
fn named_by_hand(source: &Source) -> Vec<String> {
    let is_by_hand = |line: &str| {
        line.contains("\"/proc/sys") || line.contains("\"/proc/") && line.contains("/ns/")
    };
    // A module of tests in a file of its own may be declared anywhere.
    let tests = source.text.find("#[cfg(test)]\nmod tests {");
    let code = source.text[..tests.unwrap_or(source.text.len())].lines();
    let code = code.enumerate();
    let code = code.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.filter(|(_, line)| is_by_hand(line))
        .map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
        .collect()
}

#[test]
fn sysctls_and_namespaces_are_opened_in_one_way() {
    let names = |source: &Source| NAMING.iter().any(|(path, _)| source.path == *path);
    let harness = SOURCES
        .iter()
        .filter(|it| it.path.starts_with("harness/") && !it.is_test());
    let found: Vec<String> = harness
        .filter(|it| !names(it))
        .flat_map(named_by_hand)
        .collect();
    assert_none(
        "take `kernel::procfs::sysctls` and `kernel::namespace::Task`",
        &found,
    );
    let is_stale = |path: &str| {
        let source = SOURCES.iter().find(|it| it.path == path);
        source.is_none_or(|it| named_by_hand(it).is_empty())
    };
    let stale = NAMING.iter().filter(|(path, _)| is_stale(path));
    let stale: Vec<String> = stale.map(|(path, _)| (*path).to_owned()).collect();
    assert_none("exceptions that nothing needs", &stale);
}

#[test]
fn a_path_of_a_sysctl_or_namespace_is_found() {
    let text = "
        // \"/proc/sys/kernel/pid_max\" is a sysctl.
        fn a() { fs::write(\"/proc/sys/net/a\", value); }
        fn b() { fd::write_file(c\"/proc/sys/net/a\", value); }
        fn c() { Path::new(\"/proc/sys\").join(path); }
        fn d() { File::open(format!(\"/proc/{pid}/ns/user\")); }
        fn e() { File::open(\"/proc/self/status\"); }
    ";
    let found = named_by_hand(&Source::new("harness/src/a.rs", text));
    assert_eq!(found.len(), 4, "{found:?}");
}
