//! Attributes and macros above ours that have made a `#[test]` of the function already.
//!
//! `#[test_case(1)] #[snowglobe::test] fn f(n: u8)` becomes a function for each case, which has
//! `#[test]` before the attributes that `f` had. The compiler expands `#[test]` first, and leaves
//! no trace of it to the attributes after it. A `#[test]` of ours would then be the second one, and
//! each case would run twice. So the source is looked at: what stands above our attribute there?

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Mutex;

use crate::scan::{attribute, last_segment, literal, trivia, word};

/// Line and column, both counted from 1.
type Place = (usize, usize);

/// Attributes that put `#[test]` before all others of a function that is not `async`.
const MAKERS: [&str; 3] = ["test_case", "test_matrix", "quickcheck"];
/// `#[test]` itself, as people and macros write it.
const PLAIN: [&str; 3] = [
    "test",
    "::core::prelude::v1::test",
    "core::prelude::v1::test",
];

/// Returns whether something above the attribute that is expanded now has made a `#[test]` of the
/// function, which is not `async`.
pub(crate) fn has_made_a_test() -> bool {
    static KNOWN: Mutex<Option<HashMap<PathBuf, HashSet<Place>>>> = Mutex::new(None);
    let here = proc_macro::Span::call_site();
    let (Some(file), Ok(mut known)) = (here.local_file(), KNOWN.lock()) else {
        return false;
    };
    let files = known.get_or_insert_default();
    let places = files.entry(file).or_insert_with_key(|file| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        places_behind_a_test(&text)
    });
    places.contains(&(here.line(), here.column()))
}

/// Returns the places of the attributes that stand behind a `#[test]` of the same function, in the
/// source or in a macro, as in `#[test] $(#[$attributes])* fn`.
fn places_behind_a_test(text: &str) -> HashSet<Place> {
    let mut places = HashSet::new();
    // Whether an attribute of the present sequence of attributes makes a `#[test]`.
    let mut is_test = false;
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if let Some(length) = trivia(rest) {
            at += length;
            continue;
        }
        if let Some((path, length)) = attribute(rest) {
            if is_test {
                places.insert(place(text, at));
            }
            is_test |= MAKERS.contains(&last_segment(path)) || PLAIN.contains(&path);
            at += length;
            continue;
        }
        // What a macro writes around attributes that it is given.
        is_test &= matches!(first, '$' | '(' | ')' | '*');
        let length = literal(rest).or_else(|| word(rest));
        at += length.unwrap_or(first.len_utf8());
    }
    places
}

fn place(text: &str, at: usize) -> Place {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let mut lines: Vec<_> = places_behind_a_test(text).into_iter().collect();
        lines.sort_unstable();
        lines.into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn attributes_below_one_that_makes_a_test_are_found() {
        let text = "
            #[test_case::test_case(1, \"]\")] // #[a]
            /* #[b] */ #[c]
            #[snowglobe::test]
            fn f(a: u8, b: &str) {}
            #[snowglobe::test] fn g<'a>(c: char) { let _ = ['#', '\\'', '\"']; }
            #[snowglobe::test]
            #[quickcheck] fn h() {}";
        assert_eq!(lines(text), [3, 4]);
        assert!(places_behind_a_test(text).contains(&(4, 13)));
    }

    #[test]
    fn attributes_that_a_macro_puts_behind_a_test_are_found() {
        let text = "
            macro_rules! tests {
                ($($(#[$m:meta])* fn $name:ident() $body:block)*) => {$(
                    #[test]
                    $(#[$m])*
                    fn $name() $body
                )*};
            }
            tests! {
                #[snowglobe::test]
                fn f() {}
            }
            const TEXT: &str = r#\"#[test_case] \" #[x]\"#;";
        assert_eq!(lines(text), [5]);
    }
}
