//! Counted things in sentences.

use std::fmt::Display;

/// Returns a number and what is counted: `1 test`, `2 tests`, `0 anomalies`.
///
/// `one` is a noun in the singular. The plural ends as that of most English nouns: in `ies` for a
/// `y` behind a consonant, in `es` behind a hiss, and in `s` otherwise.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, one: &str) -> String {
    if count == N::from(1) {
        return format!("{count} {one}");
    }
    format!("{count} {}", plural(one))
}

/// Returns a number, what is counted, and the verb: `1 test is`, `2 tests are`.
pub fn counted_are<N: Display + PartialEq + From<u8>>(count: N, one: &str) -> String {
    let verb = if count == N::from(1) { "is" } else { "are" };
    format!("{} {verb}", counted(count, one))
}

fn plural(one: &str) -> String {
    const HISSES: [&str; 5] = ["s", "x", "z", "ch", "sh"];
    const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
    match one.strip_suffix('y') {
        Some(stem) if !VOWELS.iter().any(|it| stem.ends_with(it)) => format!("{stem}ies"),
        _ if HISSES.iter().any(|it| one.ends_with(it)) => format!("{one}es"),
        _ => format!("{one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_every_other_number_plural() {
        assert_eq!(counted(1, "test"), "1 test");
        assert_eq!(counted(0u64, "test"), "0 tests");
        assert_eq!(counted(21u128, "test"), "21 tests");
        assert_eq!(counted_are(1, "test"), "1 test is");
        assert_eq!(counted_are(2, "test"), "2 tests are");
    }

    #[test]
    fn nouns_end_as_english_has_it() {
        assert_eq!(counted(2, "anomaly"), "2 anomalies");
        assert_eq!(counted(2, "day"), "2 days");
        assert_eq!(counted(2, "process"), "2 processes");
        assert_eq!(counted(2, "switch"), "2 switches");
        assert_eq!(counted(1, "anomaly"), "1 anomaly");
    }
}
