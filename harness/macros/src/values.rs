//! The values that options of the attribute take, each with the sentence about a wrong one.

use proc_macro::{Delimiter, Ident, TokenStream, TokenTree};

use crate::function::AttributeMeta;
use crate::literal::{Text, text};
use crate::tokens::{Cursor, Result, SourceError, fill, group, is_punct};

/// A function that reads a value.
type Read<T> = fn(&mut Cursor) -> Result<T>;

/// Reads `= value`.
pub(crate) fn value<T>(input: &mut Cursor, read: Read<T>) -> Result<T> {
    input.expect('=')?;
    read(input)
}

/// Reads `= "text"`, or nothing.
pub(crate) fn optional(input: &mut Cursor) -> Result<Option<Text>> {
    if is_punct(input.peek(), '=') {
        value(input, text).map(Some)
    } else {
        Ok(None)
    }
}

/// Reads `(value, value)`.
pub(crate) fn list<T>(input: &mut Cursor, read: Read<T>) -> Result<Vec<T>> {
    let mut inner = Cursor::of_values(input.parentheses()?.stream());
    let mut values = Vec::new();
    while !inner.is_empty() {
        values.push(read(&mut inner)?);
        if !inner.is_empty() {
            inner.expect(',')?;
        }
    }
    Ok(values)
}

/// Reads the text of `should_panic`: nothing, `= "text"` or `(expected = "text")`.
pub(crate) fn expected_panic(input: &mut Cursor) -> Result<Option<Text>> {
    if group(input.peek(), Delimiter::Parenthesis).is_some() {
        expected(input.parentheses()?.stream()).map(Some)
    } else {
        optional(input)
    }
}

/// Reads `expected = "text"`.
fn expected(tokens: TokenStream) -> Result<Text> {
    let mut input = Cursor::of_values(tokens);
    let key = input.word()?;
    if key.to_string() != "expected" {
        let message = "should_panic takes `expected = \"…\"`";
        return Err(SourceError::new(key.span(), message));
    }
    let text = value(&mut input, text)?;
    input.take(',');
    input.expect_end()?;
    Ok(text)
}

/// Reads the text of a built-in attribute: of `#[should_panic(expected = "text")]`, or of
/// `#[ignore = "text"]`.
pub(crate) fn text_of(meta: &AttributeMeta) -> Result<Option<Text>> {
    match meta {
        AttributeMeta::Path => Ok(None),
        AttributeMeta::List(list) => expected(list.clone()).map(Some),
        AttributeMeta::NameValue(value) => Ok(Text::alone(value.clone())),
    }
}

/// Returns the name of a test if it is one line: lists and reports have a line for each test.
pub(crate) fn one_line(name: Text) -> Result<Text> {
    let text = name.value();
    if text.is_empty() || text.contains(['\n', '\r']) {
        let message = "a name is one line, and not empty";
        return Err(SourceError::new(name.span(), message));
    }
    if text.starts_with('-') {
        let message = "a name that begins with `-` is an option on a command line";
        return Err(SourceError::new(name.span(), message));
    }
    Ok(name)
}

/// Returns the need of a fixture.
pub(crate) fn fixture(name: &Text) -> TokenStream {
    fill(
        "::snowglobe::Need::Fixture(__name),",
        &[("__name", &name.tokens())],
    )
}

/// Reads a need as it is written: `netem` or `fixture("nginx")`.
pub(crate) fn need(input: &mut Cursor) -> Result<TokenStream> {
    let name = input.word()?;
    if name.to_string() == "fixture" {
        let names = list(input, text)?;
        let [name] = names.as_slice() else {
            return Err(SourceError::new(name.span(), "write fixture(\"name\")"));
        };
        return Ok(fixture(name));
    }
    let variant = Ident::new(&camel_case(&name.to_string()), name.span());
    Ok(fill(
        "::snowglobe::Need::Feature(::snowglobe::Feature::__variant),",
        &[("__variant", &TokenTree::from(variant).into())],
    ))
}

/// Returns `NfTables` for `nf_tables`.
fn camel_case(name: &str) -> String {
    let capitalized = |word: &str| {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        format!("{}{rest}", first.to_uppercase())
    };
    name.split('_').map(capitalized).collect()
}

/// A kind of namespace as it is written: `net` or `!net`.
pub(crate) struct NamespaceName {
    /// The name stands behind `!`.
    pub(crate) is_excluded: bool,
    pub(crate) ident: Ident,
}

/// Reads the name of a kind of namespace.
pub(crate) fn namespace(input: &mut Cursor) -> Result<NamespaceName> {
    let is_excluded = input.take('!');
    let ident = input.word()?;
    Ok(NamespaceName { is_excluded, ident })
}

impl NamespaceName {
    /// Returns the name of the constant of `snowglobe::Isolation`.
    pub(crate) fn constant(&self) -> Result<Ident> {
        let name = self.ident.to_string();
        match name.as_str() {
            "user" | "net" | "mnt" | "uts" | "ipc" | "pid" | "all" | "none" => {
                Ok(Ident::new(&name.to_uppercase(), self.ident.span()))
            }
            _ => Err(SourceError::new(
                self.ident.span(),
                format!(
                    "there is no namespace `{name}`; there are: user, net, mnt, uts, ipc and pid (and `all`, `none`)"
                ),
            )),
        }
    }
}
