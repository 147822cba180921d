//! Constants that old versions of the crate `libc` lack are those of one file of the kernel crate.

use crate::source::Source;
use crate::{SOURCES, assert_none};

/// File that has them.
const UAPI: &str = "harness/kernel/src/uapi.rs";

/// Returns the lines that take a constant from `libc` which a text declares as well.
fn taken_from_libc(source: &Source, declaring: &str) -> Vec<String> {
    let names: Vec<&str> = declaring
        .split("const ")
        .skip(1)
        .filter_map(|it| it.split(':').next())
        .collect();
    let is_taken = |line: &str| {
        line.split("libc::").skip(1).any(|rest| {
            let end = rest.find(|it: char| it != '_' && !it.is_ascii_alphanumeric());
            names.contains(&&rest[..end.unwrap_or(rest.len())])
        })
    };
    let lines = source.text.lines().enumerate();
    lines
        .filter(|(_, line)| is_taken(line))
        .map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
        .collect()
}

#[test]
fn constants_that_an_old_libc_lacks_are_our_own() {
    let uapi = SOURCES.iter().find(|it| it.path == UAPI).expect(UAPI);
    let libraries = SOURCES
        .iter()
        .filter(|it| it.path.starts_with("harness/") && it.path != UAPI && !it.is_test());
    let found: Vec<String> = libraries
        .flat_map(|it| taken_from_libc(it, &uapi.text))
        .collect();
    assert_none("take these from `kernel::uapi`", &found);
}

#[test]
fn a_constant_of_libc_that_is_also_ours_is_found() {
    let ours = "/// A constant.\npub(crate) const NS_GET_PARENT: libc::Ioctl = 0xb702;\n";
    let text = "fn a() { ask(libc::NS_GET_PARENT); }\nfn b() { ask(libc::NS_GET_PARENT_X); }\n";
    let found = taken_from_libc(&Source::new("harness/kernel/src/a.rs", text), ours);
    assert_eq!(found.len(), 1, "{found:?}");
}
