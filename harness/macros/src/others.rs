//! Tests that other attributes and macros have made.
//!
//! With `harness = false` rustc drops every function with `#[test]`, whatever attribute or macro
//! has made it, before anybody can see it; the run would be green without it. And with the standard
//! harness rustc expands a `#[test]` above our attribute before ours, and leaves no trace of it:
//! one of ours would make each case run twice. The only one who knows all tests is the compiler: so
//! it is asked to expand the same source once more, as for the standard harness. Our own macros
//! make no `#[test]` then, so that whatever is left belongs to others. Source in strings, comments,
//! macros that nobody calls and behind a `#[cfg]` that does not hold is no test for the compiler
//! either.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use proc_macro::{Ident, TokenStream, TokenTree};

use crate::rustc::Rustc;
use crate::tokens::{fill, string};

/// A test of another attribute or macro.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Test {
    name: String,
    file: String,
    line: String,
    /// Mark of our attribute, if the function of the test has ours too.
    mark: Option<String>,
    /// Our attribute stands above the one that makes the test.
    is_below_ours: bool,
}

/// Tests of others, or why they are not known.
type Found = Result<Vec<Test>, String>;

/// Returns the tests of others in the present program. The compiler is asked once.
fn found() -> &'static Found {
    static FOUND: OnceLock<Found> = OnceLock::new();
    FOUND.get_or_init(|| look(Rustc::present()))
}

/// Returns the tests that rustc drops from the present program.
fn dropped() -> Result<&'static [Test], &'static str> {
    if Rustc::is_looking() || !Rustc::present().drops_tests() {
        return Ok(&[]);
    }
    match found() {
        Ok(tests) => Ok(tests),
        Err(why) => Err(why),
    }
}

/// Text before the mark of our attribute, in source that is expanded to look for tests.
const MARK: &str = "snowglobe marks ";

/// Text before the place in a mark of an attribute of ours that stood above all others.
const ABOVE: &str = "above ";

/// Returns the function that our attribute leaves in source that is expanded to look for tests.
/// Ours was put behind all other attributes if it `stood_above` them.
pub(crate) fn marked(ident: &Ident, stood_above: bool) -> TokenStream {
    let above = if stood_above { ABOVE } else { "" };
    let mark = format!("{MARK}{above}{}", mark(ident));
    let ident = TokenTree::from(ident.clone()).into();
    fill(
        "#[allow(dead_code)] fn __ident() { const _: &str = __mark; }",
        &[("__ident", &ident), ("__mark", &string(&mark))],
    )
}

/// Returns whether the function of this name, on which our attribute stands that is expanded now,
/// is a test of the standard harness already.
pub(crate) fn is_test_already(ident: &Ident) -> bool {
    static MARKS: OnceLock<HashSet<String>> = OnceLock::new();
    let rustc = Rustc::present();
    if !rustc.has_harness() || !rustc.links() {
        return false;
    }
    let marks = MARKS.get_or_init(|| {
        let tests = found().as_ref().map_or(&[][..], Vec::as_slice);
        tests.iter().filter_map(|test| test.mark.clone()).collect()
    });
    marks.contains(&mark(ident))
}

/// Returns the error about tests between these braces that are no trials: what makes them is known
/// to the compiler alone.
pub(crate) fn error_of_plain(braces: proc_macro::Span) -> Option<TokenStream> {
    let rustc = Rustc::present();
    if Rustc::is_looking() || !rustc.has_harness() || !rustc.links() {
        return None;
    }
    let (file, lines) = (braces.file(), braces.start().line()..=braces.end().line());
    let is_plain = |test: &&Test| {
        let line = test.line.parse();
        test.mark.is_none() && test.file == file && line.is_ok_and(|line| lines.contains(&line))
    };
    let tests = found().as_ref().map_or(&[][..], Vec::as_slice);
    let tests: Vec<Test> = tests.iter().filter(is_plain).cloned().collect();
    let message = plain_message(&tests)?;
    Some(fill(
        "::core::compile_error!(__message);",
        &[("__message", &string(&message))],
    ))
}

/// Returns what tells the attribute that is expanded now from all others: its place, and the name
/// of the function, for others copy ours onto many functions.
fn mark(ident: &Ident) -> String {
    let here = proc_macro::Span::call_site();
    let file = here.local_file().unwrap_or_default();
    format!(
        "{}:{}:{}:{ident}",
        file.display(),
        here.line(),
        here.column()
    )
}

/// Asks the compiler for the tests of the present program.
fn look(rustc: &Rustc) -> Found {
    let output = rustc
        .expansion_with_harness()
        .map(|mut rustc| rustc.output());
    match output {
        Some(Ok(output)) if output.status.success() => {
            Ok(tests(&String::from_utf8_lossy(&output.stdout)))
        }
        Some(Ok(output)) => Err(format!("the compiler gave up ({})", output.status)),
        Some(Err(error)) => Err(format!("the compiler does not start: {error}")),
        None => Err("nobody knows where the compiler is".to_owned()),
    }
}

/// Reads the descriptions of tests out of expanded source
/// (rustc, `compiler/rustc_builtin_macros/src/test.rs`, `expand_test_or_bench`).
fn tests(expanded: &str) -> Vec<Test> {
    let mut tests = Vec::new();
    let mut lines = expanded.lines().map(str::trim_start);
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix("#[rustc_test_marker =") else {
            continue;
        };
        let Some(name) = between(value_behind(rest, &mut lines), "\"", "\"]") else {
            continue;
        };
        let mut field = |key: &str, before: &str, after: &str| {
            let mut next = lines.by_ref().take(20);
            let rest = next.find_map(|line| line.strip_prefix(key));
            let value = value_behind(rest.unwrap_or_default(), &mut lines);
            between(value, before, after).unwrap_or_default()
        };
        let file = field("source_file:", "\"", "\",");
        let line = field("start_line:", "", "usize,");
        // The function stands right behind its description.
        let ident = name.rsplit("::").next().unwrap_or_default();
        let function = format!("fn {ident}(");
        let body = lines.clone().skip_while(|line| !line.contains(&function));
        let mark = body.take(3).find_map(|line| {
            let at = line.find(MARK)? + MARK.len();
            Some(line[at..].split('"').next()?.to_owned())
        });
        let mark = mark.filter(|mark| mark.ends_with(&format!(":{ident}")));
        let is_below_ours = mark.as_ref().is_some_and(|mark| mark.starts_with(ABOVE));
        let mark = mark.map(|mark| mark.trim_start_matches(ABOVE).to_owned());
        tests.push(Test {
            name,
            file,
            line,
            mark,
            is_below_ours,
        });
    }
    tests
}

/// Returns the value in the rest of a line, or in the next line if the rest is empty. The compiler
/// puts a long value into a line of its own (rustc, `compiler/rustc_ast_pretty/src/pp.rs`).
fn value_behind<'a>(rest: &'a str, lines: &mut impl Iterator<Item = &'a str>) -> &'a str {
    match rest.trim_start() {
        "" => lines.next().unwrap_or_default(),
        value => value,
    }
}

fn between(line: &str, before: &str, after: &str) -> Option<String> {
    let rest = line.strip_prefix(before)?;
    Some(rest[..rest.find(after)?].to_owned())
}

/// Returns the error about tests that would never run, the first time that there are any.
pub(crate) fn error() -> Option<TokenStream> {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let tests = dropped().ok().filter(|tests| !tests.is_empty())?;
    if TOLD.swap(true, Ordering::Relaxed) {
        return None;
    }
    let message = message(tests);
    Some(fill(
        "::core::compile_error!(__message);",
        &[("__message", &string(&message))],
    ))
}

/// Returns why it is not known whether tests are dropped, or nothing.
pub(crate) fn doubt() -> &'static str {
    dropped().err().unwrap_or_default()
}

/// Returns the sentence about tests of an isolated module that are no trials, if there are any.
fn plain_message(tests: &[Test]) -> Option<String> {
    let text = match tests.len() {
        0 => return None,
        1 => "a test of this module would run without isolation, since #[snowglobe::isolate] does not know the attribute that makes it".to_owned(),
        count => format!("{count} tests of this module would run without isolation, since #[snowglobe::isolate] does not know the attributes that make them"),
    };
    Some(
        text + &places(tests)
            + "\nwrite `#[snowglobe::test]` above all other attributes of the function, or move the test out of the module",
    )
}

fn message(tests: &[Test]) -> String {
    let text = format!(
        "{} would never run: this target has `harness = false`, and rustc then drops what other attributes and macros than `#[snowglobe::test]` make",
        match tests.len() {
            1 => "a test".to_owned(),
            count => format!("{count} tests"),
        }
    );
    text + &places(tests)
        + "\nwrite `#[snowglobe::test]` above all other attributes of the function, or in the place of the one that makes the test (an `async` trial has a tokio runtime of its own); \
        where a macro writes `#[test]`, have `use snowglobe::test;` in the same module; \
        or move the test to a target without `harness = false`"
}

/// Returns a line for each test, with its place.
fn places(tests: &[Test]) -> String {
    /// Number of tests that are named.
    const MOST: usize = 20;
    let mut text = String::new();
    for Test {
        name,
        file,
        line,
        mark: _,
        is_below_ours,
    } in tests.iter().take(MOST)
    {
        text += &format!("\n  {file}:{line}: `{name}`");
        if *is_below_ours {
            text += ", which has `#[snowglobe::test]`: leave out the attribute that makes a `#[test]` of it as well";
        }
    }
    if let Some(more @ 1..) = tests.len().checked_sub(MOST) {
        text += &format!("\n  and {more} more");
    }
    text
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    const EXPANDED: &str = r##"
mod a {
    extern crate test;
    #[rustc_test_marker = "a::b"]
    #[doc(hidden)]
    pub const b: test::TestDescAndFn =
        test::TestDescAndFn {
            desc: test::TestDesc {
                name: test::StaticTestName("a::b"),
                ignore: false,
                ignore_message: ::core::option::Option::None,
                source_file: "tests/x.rs",
                start_line: 12usize,
                start_col: 4usize,
            },
        };
    fn b() { let text = "#[rustc_test_marker = \"c\"]"; }
}
fn c() { const _: &str = "snowglobe marks tests/y.rs:1:1:c"; }
#[rustc_test_marker = "c"]
pub const c: test::TestDescAndFn =
    test::TestDescAndFn {
        desc: test::TestDesc {
            source_file: "tests/y.rs",
            start_line: 3usize,
        },
    };
#[allow(dead_code)]
fn c() {
    const _: &str = "snowglobe marks above tests/y.rs:2:1:c";
}
"##;

    #[test]
    fn tests_are_read_with_their_places() {
        let b = Test {
            name: "a::b".into(),
            file: "tests/x.rs".into(),
            line: "12".into(),
            mark: None,
            is_below_ours: false,
        };
        let c = Test {
            name: "c".into(),
            file: "tests/y.rs".into(),
            line: "3".into(),
            mark: Some("tests/y.rs:2:1:c".into()),
            is_below_ours: true,
        };
        assert_eq!(tests(EXPANDED), [b, c]);
    }

    #[test]
    fn long_names_stand_in_lines_of_their_own() {
        // As rustc 1.95 prints the unit test of a published crate.
        let name = "shutdown::tests::closed_unset_signal_does_not_notify_listener";
        let ident = "closed_unset_signal_does_not_notify_listener";
        let mark = format!("src/shutdown.rs:85:5:{ident}");
        let expanded = format!(
            "        #[rustc_test_marker =\n        \"{name}\"]\n        #[doc(hidden)]\n        \
             pub const {ident}:\n            test::TestDescAndFn =\n            \
             test::TestDescAndFn {{\n                source_file:\n                    \
             \"src/shutdown.rs\",\n                start_line: 87usize,\n            }};\n        \
             fn {ident}() {{\n            const _: &str =\n                \
             \"snowglobe marks {mark}\";\n        }}\n"
        );
        let expected = Test {
            name: name.into(),
            file: "src/shutdown.rs".into(),
            line: "87".into(),
            mark: Some(mark),
            is_below_ours: false,
        };
        assert_eq!(tests(&expanded), [expected]);
    }

    #[test]
    fn the_error_names_each_test_and_its_remedy() {
        let text = message(&tests(EXPANDED)[..1]);
        assert!(text.starts_with("a test would never run"), "{text}");
        for part in ["tests/x.rs:12: `a::b`", "`use snowglobe::test;`"] {
            assert!(text.contains(part), "{text}");
        }
        let below = message(&tests(EXPANDED)[1..]);
        assert!(
            below.contains("`c`, which has `#[snowglobe::test]`: leave"),
            "{below}"
        );
        let many = message(&vec![tests(EXPANDED)[0].clone(); 25]);
        assert!(
            many.contains("25 tests") && many.contains("and 5 more"),
            "{many}"
        );
    }
}
