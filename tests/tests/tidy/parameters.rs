//! How many parameters a function may have: values that belong together are a struct with a name.

use crate::source::Source;
use crate::{SOURCES, assert_none};

/// The most parameters of a function, besides `self`.
const MOST: usize = 5;

fn long_lists(source: &Source) -> Vec<String> {
    let functions = source.findings.parameters.iter();
    let long = functions.filter(|(_, _, count)| *count > MOST);
    long.map(|(name, line, count)| format!("{}:{line}: {name}: {count} parameters", source.path))
        .collect()
}

#[test]
fn functions_have_at_most_five_parameters() {
    let found: Vec<String> = SOURCES.iter().flat_map(long_lists).collect();
    assert_none("make a struct of parameters that belong together", &found);
}

#[test]
fn a_long_list_of_parameters_is_found() {
    let text = "
        fn bad(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}
        trait T { fn bad(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8); }
        struct S;
        impl S { fn good(&self, a: u8, b: u8, c: u8, d: u8, e: u8) {} }
        extern \"C\" fn of_libc(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}
    ";
    assert_eq!(long_lists(&Source::new("harness/src/a.rs", text)).len(), 2);
}
