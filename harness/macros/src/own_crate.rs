//! The path by which expanded source names the crate `snowglobe`.
//!
//! That is the name of the dependency, which the compiler's command line has. Where another crate
//! re-exports snowglobe, it is no dependency, and a macro does not learn by which path it was
//! called: the user says it by `crate = "…"`, as for the macros of tokio and serde.

use std::cell::RefCell;

use proc_macro::TokenStream;

use crate::literal::text;
use crate::rustc::Rustc;
use crate::tokens::{Cursor, Result, SourceError, is_punct, is_word};
use crate::values::value;

thread_local! {
    static GIVEN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Path that counts until this value is dropped.
pub(crate) struct GivenCrate(());

impl Drop for GivenCrate {
    fn drop(&mut self) {
        GIVEN.take();
    }
}

/// Returns the path of the crate, as in `::snowglobe`.
pub(crate) fn path() -> String {
    let given = GIVEN.with_borrow(Option::clone);
    given.unwrap_or_else(|| format!("::{}", Rustc::name_of_snowglobe()))
}

/// Notes the path that the option `crate = "…"` gives, if it is among the options.
///
/// # Errors
/// The value of the option is no path.
pub(crate) fn note(options: &TokenStream) -> Result<GivenCrate> {
    GIVEN.set(split(options)?.0);
    Ok(GivenCrate(()))
}

/// Splits options into the path that `crate = "…"` gives, and the others.
///
/// # Errors
/// The value of the option is no path.
pub(crate) fn split(options: &TokenStream) -> Result<(Option<String>, TokenStream)> {
    let mut input = Cursor::of_values(options.clone());
    let mut path = None;
    let mut others = TokenStream::new();
    while let Some(token) = input.next() {
        if !is_word(Some(&token), "crate") || !is_punct(input.peek(), '=') {
            others.extend([token]);
            continue;
        }
        let given = value(&mut input, text)?;
        if !is_path(given.value()) {
            let message = "the option is the path by which this file has the crate snowglobe, as in `crate = \"my_crate::snowglobe\"`";
            return Err(SourceError::new(given.span(), message));
        }
        path.get_or_insert_with(|| given.value().to_owned());
        input.take(',');
    }
    Ok((path, others))
}

fn is_path(text: &str) -> bool {
    let is_word = |part: &str| {
        let part = part.strip_prefix("r#").unwrap_or(part);
        let mut letters = part.chars();
        let is_start = |first: char| first.is_alphabetic() || first == '_';
        letters.next().is_some_and(is_start) && letters.all(|it| it.is_alphanumeric() || it == '_')
    };
    let parts = text.strip_prefix("::").unwrap_or(text);
    parts.split("::").all(is_word)
}

#[cfg(test)]
mod tests {
    use super::is_path;

    #[test]
    fn a_path_is_words_with_colons_between() {
        for path in [
            "a",
            "::a",
            "a::b",
            "crate::a",
            "::a::b_1",
            "r#try::snowglobe",
        ] {
            assert!(is_path(path), "{path}");
        }
        for text in ["", "::", "a::", "a:b", "a::<b>", "1a", "a b", "a; b"] {
            assert!(!is_path(text), "{text}");
        }
    }
}
