//! Names in sentences.

use std::fmt::Display;

/// Returns names as a sentence lists them: `` `a`, `b` ``.
pub fn in_backticks<N: Display>(names: impl IntoIterator<Item = N>) -> String {
    let names = names.into_iter().map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed() {
        assert_eq!(in_backticks(["a", "b"]), "`a`, `b`");
        assert_eq!(in_backticks([1]), "`1`");
        assert_eq!(in_backticks::<&str>([]), "");
    }
}
