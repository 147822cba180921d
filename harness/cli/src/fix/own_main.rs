//! The `main` of ours at the end of an integration test: pure.

use syn::{Attribute, Meta};

/// Conditions that hold wherever a trial can run.
const ALWAYS: [&str; 2] = ["unix", "target_os = \"linux\""];

/// Returns the ends of files that have a `main` of ours, for the two ends of a line, and for a file
/// without an end of its last line; `name` is that of the crate.
fn ends(name: &str) -> [String; 4] {
    let main = format!("{name}::main!();");
    [
        format!("\n{main}\n"),
        format!("\r\n{main}\r\n"),
        format!("\n\n{main}"),
        format!("\r\n\r\n{main}"),
    ]
}

/// Returns the text of a test program with a `main` of ours at its end.
pub(super) fn with_main(text: &str, name: &str) -> String {
    let [unix, dos, unix_open, dos_open] = ends(name);
    let end = match (text.contains("\r\n"), text.ends_with('\n')) {
        (false, true) => unix,
        (true, true) => dos,
        (false, false) => unix_open,
        (true, false) => dos_open,
    };
    format!("{text}{end}")
}

/// Returns the text without the `main` that [`with_main`] has written, if it is there.
pub(super) fn without_main<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let ends = ends(name);
    ends.iter().find_map(|end| text.strip_suffix(end))
}

/// Returns whether an attribute at the top of a file may take the whole file away, and a `main`
/// with it.
pub(super) fn may_empty_file(attribute: &Attribute) -> bool {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            !ALWAYS.contains(&list.tokens.to_string().as_str())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_goes_as_it_came() {
        for text in [
            "fn a() {}\n",
            "fn a() {}",
            "fn a() {}\r\n",
            "//\r\nfn a() {}",
            "",
        ] {
            let with = with_main(text, "sg");
            assert!(with.contains("sg::main!();"));
            assert_eq!(without_main(&with, "sg"), Some(text), "{with:?}");
            assert_eq!(without_main(text, "sg"), None);
        }
    }

    #[test]
    fn conditions_that_may_not_hold_are_found() {
        let may = |text: &str| {
            let file = syn::parse_file(text).unwrap();
            file.attrs.iter().any(may_empty_file)
        };
        assert!(may("#![cfg(feature = \"full\")]"));
        assert!(may("#![cfg(not(target_os = \"linux\"))]"));
        assert!(!may(
            "#![cfg(unix)]\n#![cfg(target_os = \"linux\")]\n#![allow(x)]"
        ));
    }
}
