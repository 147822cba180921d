//! The error about a tree.

use std::fmt;

/// The first thing that is wrong with a tree, with its place in the text, if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeError {
    text: String,
    at: Option<usize>,
}

impl TreeError {
    /// Makes an error at a byte of the text.
    pub fn new(text: impl Into<String>, at: Option<usize>) -> Self {
        let text = text.into();
        Self { text, at }
    }

    /// Returns the byte of the text at which the error is.
    pub fn at(&self) -> Option<usize> {
        self.at
    }

    pub(crate) fn unknown(what: &str, name: &str, known: &[&str], at: Option<usize>) -> Self {
        let expected = match known {
            [] => format!("there are no {what}s"),
            [only] => format!("expected `{only}`"),
            [one, other] => format!("expected `{one}` or `{other}`"),
            all => format!("expected one of `{}`", all.join("`, `")),
        };
        Self::new(format!("unknown {what} `{name}`, {expected}"), at)
    }
}

/// Tells the error without its place.
impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for TreeError {}
