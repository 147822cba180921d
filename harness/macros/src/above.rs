//! The company of our attribute in the source: attributes above it, and macros around it.
//!
//! An attribute or a macro may have made a `#[test]` of the function before ours is expanded.
//! Whether it has is known to the compiler alone (`others.rs`), which is asked only where there is
//! any such company.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Mutex;

use crate::company::BUILT_IN;
use crate::scan::{attribute, literal, trivia, word};

/// Line and column, both counted from 1.
type Place = (usize, usize);

/// Returns whether attributes of other crates stand above the one that is expanded now, or a macro
/// around it.
pub(crate) fn has_company() -> bool {
    static KNOWN: Mutex<Option<HashMap<PathBuf, HashSet<Place>>>> = Mutex::new(None);
    let here = proc_macro::Span::call_site();
    let (Some(file), Ok(mut known)) = (here.local_file(), KNOWN.lock()) else {
        return false;
    };
    let files = known.get_or_insert_default();
    let places = files.entry(file).or_insert_with_key(|file| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        places_in_company(&text)
    });
    places.contains(&(here.line(), here.column()))
}

/// Returns the places of the attributes that stand below others or in macros.
fn places_in_company(text: &str) -> HashSet<Place> {
    let mut places = HashSet::new();
    // Whether an attribute of another crate is among the present sequence of attributes.
    let mut is_below = false;
    // One entry for each open bracket tells whether the bracket is a macro's.
    let mut open = Vec::new();
    // Whether the name of a macro, or of a definition of one, stands before the present place.
    let mut is_macro = false;
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if let Some(length) = trivia(rest) {
            at += length;
            continue;
        }
        if let Some((path, length)) = attribute(rest) {
            if is_below || open.contains(&true) {
                places.insert(place(text, at));
            }
            is_below |= !BUILT_IN.contains(&path);
            at += length;
            continue;
        }
        is_below = false;
        if let Some(length) = word(rest) {
            let has_mark = rest[length..].starts_with('!');
            // `macro_rules! name { … }` has a name between the mark and the bracket.
            is_macro = has_mark || (is_macro && text[..at].trim_end().ends_with('!'));
            at += length + usize::from(has_mark);
            continue;
        }
        match first {
            '{' | '(' | '[' => open.push(is_macro),
            '}' | ')' | ']' => drop(open.pop()),
            _ => {}
        }
        is_macro = false;
        at += literal(rest).unwrap_or(first.len_utf8());
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
        let mut lines: Vec<_> = places_in_company(text).into_iter().collect();
        lines.sort_unstable();
        lines.into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn attributes_below_others_are_found() {
        let text = "
            #[test_case::test_case(1, \"]\")] // #[a]
            /* #[b] */ #[c]
            #[snowglobe::test]
            fn f(a: u8, b: &str) {}
            #[snowglobe::test] fn g<'a>(c: char) { let _ = ['#', '\\'', '\"']; }
            #[should_panic]
            #[snowglobe::test]
            #[quickcheck] fn h() {}";
        assert_eq!(lines(text), [3, 4, 9]);
        assert!(places_in_company(text).contains(&(4, 13)));
    }

    #[test]
    fn attributes_in_macros_are_found() {
        let text = "
            macro_rules! tests {
                ($($(#[$m:meta])* fn $name:ident() $body:block)*) => {$(
                    $(#[$m])*
                    fn $name() $body
                )*};
            }
            a::tests! {
                #[snowglobe::test]
                fn f() { assert!(a != b) }
            }
            #[snowglobe::test] fn g() { if !x { y } }
            const TEXT: &str = r#\"#[test_case] \" #[x]\"#;";
        assert_eq!(lines(text), [3, 4, 9]);
    }
}
