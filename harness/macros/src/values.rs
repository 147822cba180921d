//! The values that options of the attribute take, each with the sentence about a wrong one.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, LitStr, Meta, Result, Token, parenthesized};

/// Reads `= value`.
pub(crate) fn value<T: Parse>(input: ParseStream<'_>) -> Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// Reads `= value`, or nothing.
pub(crate) fn optional<T: Parse>(input: ParseStream<'_>) -> Result<Option<T>> {
    if input.peek(Token![=]) {
        value(input).map(Some)
    } else {
        Ok(None)
    }
}

/// Reads `(value, value)`.
pub(crate) fn list<T: Parse>(input: ParseStream<'_>) -> Result<Vec<T>> {
    let inner;
    parenthesized!(inner in input);
    let values = Punctuated::<T, Token![,]>::parse_terminated(&inner)?;
    Ok(values.into_iter().collect())
}

/// Reads the text of `should_panic`: nothing, `= "text"` or `(expected = "text")`.
pub(crate) fn expected_panic(input: ParseStream<'_>) -> Result<Option<LitStr>> {
    if input.peek(syn::token::Paren) {
        let inner;
        parenthesized!(inner in input);
        expected(&inner).map(Some)
    } else {
        optional(input)
    }
}

/// Reads `expected = "text"`.
fn expected(input: ParseStream<'_>) -> Result<LitStr> {
    let key: Ident = input.parse()?;
    if key == "expected" {
        value(input)
    } else {
        let message = "should_panic takes `expected = \"…\"`";
        Err(Error::new(key.span(), message))
    }
}

/// Reads the text of a built-in attribute: of `#[should_panic(expected = "text")]`, or of
/// `#[ignore = "text"]`.
pub(crate) fn text_of(meta: &Meta) -> Result<Option<LitStr>> {
    match meta {
        Meta::Path(_) => Ok(None),
        Meta::List(list) => list.parse_args_with(expected).map(Some),
        Meta::NameValue(pair) => Ok(match &pair.value {
            Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) => Some(text.clone()),
            _ => None,
        }),
    }
}

/// Returns the name of a test if it is one line: lists and reports have a line for each test.
pub(crate) fn one_line(name: LitStr) -> Result<LitStr> {
    let text = name.value();
    if text.is_empty() || text.contains(['\n', '\r']) {
        let message = "a name is one line, and not empty";
        return Err(Error::new(name.span(), message));
    }
    if text.starts_with('-') {
        let message = "a name that begins with `-` is an option on a command line";
        return Err(Error::new(name.span(), message));
    }
    Ok(name)
}

/// Returns the need of a fixture.
pub(crate) fn fixture(name: &LitStr) -> TokenStream {
    quote!(::snowglobe::Need::Fixture(#name))
}

/// A need as it is written: `netem` or `fixture("nginx")`.
pub(crate) struct NeedTokens(pub(crate) TokenStream);

impl Parse for NeedTokens {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: Ident = input.parse()?;
        if name == "fixture" {
            let names = list::<LitStr>(input)?;
            let [name] = names.as_slice() else {
                return Err(Error::new(name.span(), "write fixture(\"name\")"));
            };
            return Ok(Self(fixture(name)));
        }
        let variant = Ident::new(&camel_case(&name.to_string()), name.span());
        Ok(Self(
            quote!(::snowglobe::Need::Feature(::snowglobe::Feature::#variant)),
        ))
    }
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

impl Parse for NamespaceName {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let is_excluded = input.parse::<Option<Token![!]>>()?.is_some();
        let ident = input.call(Ident::parse_any)?;
        Ok(Self { is_excluded, ident })
    }
}

impl NamespaceName {
    /// Returns the name of the constant of `snowglobe::Isolation`.
    pub(crate) fn constant(&self) -> Result<Ident> {
        let name = self.ident.to_string();
        match name.as_str() {
            "user" | "net" | "mnt" | "uts" | "ipc" | "pid" | "all" | "none" => {
                Ok(Ident::new(&name.to_uppercase(), self.ident.span()))
            }
            _ => Err(Error::new(
                self.ident.span(),
                format!(
                    "there is no namespace `{name}`; there are: user, net, mnt, uts, ipc and pid (and `all`, `none`)"
                ),
            )),
        }
    }
}
