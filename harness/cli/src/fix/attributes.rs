//! Attributes that make tests, and ours among them.

use proc_macro2::{Delimiter, LineColumn, TokenStream, TokenTree};
use syn::{Attribute, Meta};

/// Returns our attribute for a test of a package that knows snowglobe by this name.
pub(super) fn ours(name: &str) -> String {
    format!("#[{name}::test]")
}

/// Returns our attribute for a test of a file that is built without dev-dependencies too.
pub(super) fn ours_in_package(name: &str) -> String {
    format!("#[cfg_attr(test, {name}::test)]")
}

/// Last names of attributes that make tests, with which ours goes together: those that
/// `snowglobe::test` knows (`harness/macros/src/company.rs`).
const MAKERS: [&str; 11] = [
    "apply",
    "gtest",
    "parameterized",
    "property_test",
    "proptest",
    "quickcheck",
    "rstest",
    "test",
    "test_case",
    "test_log",
    "test_matrix",
];

/// Path of an attribute, and its arguments as text.
pub(super) type Named = (Vec<String>, String);

/// The attributes of a function.
pub(super) struct FoundFunction {
    /// Name of the function.
    pub(super) name: String,
    pub(super) attributes: Vec<(Named, LineColumn)>,
}

/// An attribute of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ours {
    Plain,
    WithOptions,
}

impl Ours {
    /// Returns which attribute of ours this is, if it is one; `name` is that of the crate.
    pub(super) fn of(path: &[String], arguments: &str, name: &str) -> Option<Self> {
        let is = |names: &[&str]| path.iter().eq(names);
        if is(&[name, "test"]) {
            return Some(match arguments.is_empty() {
                true => Self::Plain,
                false => Self::WithOptions,
            });
        }
        if !is(&["cfg_attr"]) {
            return None;
        }
        let arguments: String = arguments.split_whitespace().collect();
        let ours = format!("{name}::test");
        match arguments.strip_prefix("test,") {
            Some(rest) if rest == ours => Some(Self::Plain),
            _ if names_crate(&arguments, &ours) => Some(Self::WithOptions),
            _ => None,
        }
    }
}

/// Returns whether an attribute of this path makes a test that can be a trial.
pub(super) fn makes_test(path: &[String]) -> bool {
    path.last().is_some_and(|it| MAKERS.contains(&it.as_str()))
}

/// Returns why an attribute of this path makes a test that cannot be a trial, if so.
pub(super) fn foreign(path: &[String]) -> Option<&'static str> {
    match path.last()?.as_str() {
        "wasm_bindgen_test" => Some("runs where there is no Linux"),
        "bench" => Some("measures, and is no test: run it with `snowglobe exec --`"),
        _ => None,
    }
}

/// Returns whether an attribute with this path and these arguments makes a test only where some
/// condition holds, as `#[cfg_attr(unix, tokio::test)]`.
pub(super) fn makes_test_at_times(path: &[String], arguments: &str) -> bool {
    if !path.iter().eq(["cfg_attr"]) {
        return false;
    }
    let mut attributes: Vec<TokenStream> = vec![TokenStream::new()];
    for tree in arguments.parse::<TokenStream>().unwrap_or_default() {
        match tree {
            TokenTree::Punct(mark) if mark.as_char() == ',' => attributes.push(TokenStream::new()),
            tree => attributes
                .last_mut()
                .into_iter()
                .for_each(|it| it.extend([tree.clone()])),
        }
    }
    // The first is the condition.
    let mut attributes = attributes.into_iter().skip(1).map(named);
    attributes.any(|(path, arguments)| makes_test(&path) || makes_test_at_times(&path, &arguments))
}

/// Returns whether the attribute keeps what is below it out of everything but tests.
pub(super) fn is_for_tests(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    if !list.path.is_ident("cfg") {
        return false;
    }
    let mut trees = list.tokens.clone().into_iter();
    match (trees.next(), trees.next()) {
        (Some(TokenTree::Ident(it)), None) => it == "test",
        (Some(TokenTree::Ident(all)), Some(rest)) if all == "all" => {
            let stream = group(&rest, Delimiter::Parenthesis).unwrap_or_default();
            let mut trees = stream.into_iter();
            trees.any(|tree| matches!(tree, TokenTree::Ident(it) if it == "test"))
        }
        _ => false,
    }
}

/// Returns whether the path is the one of the attribute `name` of this crate.
pub(super) fn names_ours(path: &syn::Path, krate: &str, name: &str) -> bool {
    let segments = path.segments.iter();
    segments.map(|it| it.ident.to_string()).eq([krate, name])
}

/// Returns whether a text has these words, which begin with the name of a crate, in a
/// place where no other letter of a name precedes them: `msg::test` is not of the crate `sg`.
pub(super) fn names_crate(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|it| it.is_alphanumeric() || it == '_')
    })
}

/// Finds functions with attributes that make tests in the tokens of a macro.
pub(super) fn in_tokens(tokens: TokenStream, found: &mut Vec<FoundFunction>) {
    let mut attributes: Vec<(Named, LineColumn)> = Vec::new();
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        if let TokenTree::Punct(mark) = &tree
            && mark.as_char() == '#'
            && let Some(inner) = trees.peek().and_then(|it| group(it, Delimiter::Bracket))
        {
            attributes.push((named(inner), mark.span().start()));
            trees.next();
            continue;
        }
        if let TokenTree::Group(inner) = &tree {
            in_tokens(inner.stream(), found);
        }
        match &tree {
            TokenTree::Ident(it) if it == "fn" => {
                let name = match trees.peek() {
                    Some(TokenTree::Ident(name)) => name.to_string(),
                    _ => "a test that a macro names".to_owned(),
                };
                let attributes = std::mem::take(&mut attributes);
                let is_test = |(path, arguments): &Named| {
                    makes_test(path)
                        || foreign(path).is_some()
                        || makes_test_at_times(path, arguments)
                };
                if attributes.iter().any(|(named, _)| is_test(named)) {
                    found.push(FoundFunction { name, attributes });
                }
            }
            // Visibility and qualifiers stand between the attributes of a function and its name.
            TokenTree::Ident(_) => {}
            TokenTree::Group(it) if it.delimiter() == Delimiter::Parenthesis => {}
            // `$(#[$attribute])*` does too, in a macro.
            TokenTree::Punct(it) if matches!(it.as_char(), '$' | '*') => {}
            _ => attributes.clear(),
        }
    }
}

/// Returns the tokens of a group with this delimiter.
fn group(tree: &TokenTree, delimiter: Delimiter) -> Option<TokenStream> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == delimiter => Some(group.stream()),
        _ => None,
    }
}

/// Reads what stands in the brackets of an attribute.
fn named(inner: TokenStream) -> Named {
    let mut path = Vec::new();
    let mut arguments = String::new();
    for tree in inner {
        match tree {
            TokenTree::Ident(it) => path.push(it.to_string()),
            TokenTree::Punct(it) if it.as_char() == ':' => {}
            TokenTree::Group(it) => arguments = it.stream().to_string(),
            TokenTree::Punct(_) | TokenTree::Literal(_) => break,
        }
    }
    (path, arguments)
}
