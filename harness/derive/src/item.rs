//! A type as far as the derives need it: names and attributes. The types of fields are skipped, for
//! the compiler infers them.

use std::iter::Peekable;

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

use crate::attributes::SerdeAttributes;

type Tokens = Peekable<proc_macro::token_stream::IntoIter>;

/// A struct or an enum.
pub(crate) struct DerivedType {
    pub(crate) name: String,
    /// The lifetimes of the type, as `<'a>`, or nothing.
    pub(crate) generics: String,
    pub(crate) attributes: SerdeAttributes,
    pub(crate) kind: DerivedKind,
}

pub(crate) enum DerivedKind {
    Struct(DerivedFields),
    Enum(Vec<Variant>),
}

pub(crate) struct Variant {
    pub(crate) ident: String,
    pub(crate) attributes: SerdeAttributes,
    pub(crate) fields: DerivedFields,
}

pub(crate) enum DerivedFields {
    Unit,
    /// DerivedFields without names.
    Tuple(Vec<SerdeAttributes>),
    Named(Vec<Field>),
}

pub(crate) struct Field {
    pub(crate) ident: String,
    pub(crate) attributes: SerdeAttributes,
}

/// Reads a type.
pub(crate) fn parse(input: TokenStream) -> Result<DerivedType, String> {
    let mut tokens = input.into_iter().peekable();
    let attributes = attributes(&mut tokens)?;
    skip_visibility(&mut tokens);
    let kind = word(&mut tokens)?;
    let name = word(&mut tokens)?;
    let generics = generics(&mut tokens)?;
    let kind = match (kind.as_str(), tokens.next()) {
        ("struct", Some(TokenTree::Group(group))) => DerivedKind::Struct(fields(&group)?),
        ("struct", _) => DerivedKind::Struct(DerivedFields::Unit),
        ("enum", Some(TokenTree::Group(group))) => DerivedKind::Enum(variants(&group)?),
        _ => return Err("snowglobe-derive knows structs and enums".to_owned()),
    };
    Ok(DerivedType {
        name,
        generics,
        attributes,
        kind,
    })
}

fn attributes(tokens: &mut Tokens) -> Result<SerdeAttributes, String> {
    let mut read = SerdeAttributes::default();
    while matches!(tokens.peek(), Some(TokenTree::Punct(it)) if it.as_char() == '#') {
        tokens.next();
        if let Some(TokenTree::Group(brackets)) = tokens.next() {
            read.read(&brackets)?;
        }
    }
    Ok(read)
}

fn skip_visibility(tokens: &mut Tokens) {
    if matches!(tokens.peek(), Some(TokenTree::Ident(it)) if it.to_string() == "pub") {
        tokens.next();
        let is_parenthesis = |token: &TokenTree| matches!(token, TokenTree::Group(it) if it.delimiter() == Delimiter::Parenthesis);
        tokens.next_if(is_parenthesis);
    }
}

fn word(tokens: &mut Tokens) -> Result<String, String> {
    match tokens.next() {
        Some(TokenTree::Ident(word)) => Ok(word.to_string()),
        other => Err(format!("snowglobe-derive expected a name, not {other:?}")),
    }
}

/// Reads the lifetimes of a type.
fn generics(tokens: &mut Tokens) -> Result<String, String> {
    let mut text = String::new();
    if !matches!(tokens.peek(), Some(TokenTree::Punct(it)) if it.as_char() == '<') {
        return Ok(text);
    }
    for token in tokens.by_ref() {
        if matches!(token, TokenTree::Ident(_)) && !text.ends_with('\'') {
            return Err("snowglobe-derive knows no generic type but one with lifetimes".to_owned());
        }
        let part = token.to_string();
        text.push_str(&part);
        if part == ">" {
            break;
        }
    }
    Ok(text)
}

fn fields(group: &Group) -> Result<DerivedFields, String> {
    let mut tokens = group.stream().into_iter().peekable();
    let is_named = group.delimiter() == Delimiter::Brace;
    let mut named = Vec::new();
    let mut unnamed = Vec::new();
    while tokens.peek().is_some() {
        let attributes = attributes(&mut tokens)?;
        skip_visibility(&mut tokens);
        if is_named {
            let ident = word(&mut tokens)?;
            named.push(Field { ident, attributes });
        } else {
            unnamed.push(attributes);
        }
        skip_to_comma(&mut tokens);
    }
    Ok(if is_named {
        DerivedFields::Named(named)
    } else {
        DerivedFields::Tuple(unnamed)
    })
}

/// Skips a type, or the discriminant of a variant, and the comma after it.
fn skip_to_comma(tokens: &mut Tokens) {
    let mut depth = 0;
    for token in tokens.by_ref() {
        let TokenTree::Punct(punct) = token else {
            continue;
        };
        match punct.as_char() {
            '<' => depth += 1,
            '>' => depth -= 1,
            ',' if depth == 0 => break,
            _ => {}
        }
    }
}

fn variants(group: &Group) -> Result<Vec<Variant>, String> {
    let mut tokens = group.stream().into_iter().peekable();
    let mut variants = Vec::new();
    while tokens.peek().is_some() {
        let attributes = attributes(&mut tokens)?;
        let ident = word(&mut tokens)?;
        let fields = match tokens.peek() {
            Some(TokenTree::Group(group)) => fields(group)?,
            _ => DerivedFields::Unit,
        };
        skip_to_comma(&mut tokens);
        variants.push(Variant {
            ident,
            attributes,
            fields,
        });
    }
    Ok(variants)
}
