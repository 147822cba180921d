//! A function with its attributes, as far as our macros look into it.

use proc_macro::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::tokens::{
    Angles, Cursor, Result, SourceError, group, is_punct, is_word, split_at_commas,
};

/// An attribute, `#[…]`.
#[derive(Clone)]
pub(crate) struct Attribute {
    tokens: TokenStream,
    /// The parts of the path.
    pub(crate) path: Vec<String>,
    /// Whether the path begins with `::`.
    is_global: bool,
    pub(crate) meta: AttributeMeta,
}

/// The tokens behind the path of an attribute.
#[derive(Clone)]
pub(crate) enum AttributeMeta {
    /// Nothing.
    Path,
    /// Tokens in brackets.
    List(TokenStream),
    /// Tokens behind `=`.
    NameValue(TokenStream),
}

impl Attribute {
    /// Reads an attribute, if one comes next.
    pub(crate) fn read(input: &mut Cursor) -> Option<Self> {
        if !is_punct(input.peek(), '#') {
            return None;
        }
        let brackets = group(input.peek_second(), Delimiter::Bracket)?.clone();
        let tokens = input.next().into_iter().chain(input.next()).collect();
        let mut inner = Cursor::of_values(brackets.stream());
        let mut path = Vec::new();
        let is_global = is_punct(inner.peek(), ':');
        loop {
            while inner.take(':') {}
            let Ok(part) = inner.word() else { break };
            path.push(part.to_string());
            if !is_punct(inner.peek(), ':') {
                break;
            }
        }
        let meta = match inner.next() {
            Some(TokenTree::Group(list)) => AttributeMeta::List(list.stream()),
            Some(_) => AttributeMeta::NameValue(inner.rest()),
            None => AttributeMeta::Path,
        };
        Some(Self {
            tokens,
            path,
            is_global,
            meta,
        })
    }

    /// Reads all attributes that come next.
    pub(crate) fn read_all(input: &mut Cursor) -> Vec<Self> {
        std::iter::from_fn(|| Self::read(input)).collect()
    }

    /// Makes an attribute of tokens that are one.
    pub(crate) fn of(tokens: TokenStream) -> Self {
        Self::read(&mut Cursor::new(tokens)).expect("the tokens are an attribute")
    }

    /// Returns the only part of the path.
    pub(crate) fn ident(&self) -> Option<&str> {
        match &self.path[..] {
            [only] if !self.is_global => Some(only),
            _ => None,
        }
    }

    /// Returns the tokens in the brackets of the attribute, `#[path(…)]`, if it has any.
    pub(crate) fn list(&self) -> TokenStream {
        match &self.meta {
            AttributeMeta::List(list) => list.clone(),
            AttributeMeta::Path | AttributeMeta::NameValue(_) => TokenStream::new(),
        }
    }

    pub(crate) fn tokens(&self) -> TokenStream {
        self.tokens.clone()
    }

    /// Returns the attribute with another last part of its path.
    pub(crate) fn renamed(&self, name: &str) -> TokenStream {
        let mut tokens: Vec<TokenTree> = self.tokens.clone().into_iter().collect();
        let brackets = group(tokens.last(), Delimiter::Bracket).map(Group::stream);
        let mut inner: Vec<TokenTree> = brackets.unwrap_or_default().into_iter().collect();
        let is_old = |token: &TokenTree| matches!(token, TokenTree::Ident(_));
        if let Some(old) = inner.iter_mut().rfind(|token| is_old(token)) {
            *old = Ident::new(name, old.span()).into();
        }
        let inner = inner.into_iter().collect();
        tokens.pop();
        tokens.extend([TokenTree::from(Group::new(Delimiter::Bracket, inner))]);
        tokens.into_iter().collect()
    }
}

/// Returns the tokens of all attributes.
pub(crate) fn all_tokens(attributes: &[Attribute]) -> TokenStream {
    attributes.iter().map(Attribute::tokens).collect()
}

/// A function.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    /// The tokens before `fn`: visibility, `async` and the like.
    head: Vec<TokenTree>,
    keyword: TokenTree,
    pub(crate) ident: Ident,
    generics: TokenStream,
    inputs: Group,
    /// The type that the function returns, and a `where`.
    pub(crate) output: TokenStream,
    body: TokenTree,
}

impl Function {
    pub(crate) fn parse(tokens: TokenStream) -> Result<Self> {
        let no_function = |span| SourceError::new(span, "#[snowglobe::test] goes on a function");
        let mut input = Cursor::new(tokens);
        let attributes = Attribute::read_all(&mut input);
        let start = input.span();
        let mut head = Vec::new();
        while !is_word(input.peek(), "fn") {
            head.push(input.next().ok_or_else(|| no_function(start))?);
        }
        let keyword = input.next().ok_or_else(|| no_function(start))?;
        let ident = input.word().map_err(|_| no_function(start))?;
        let generics = generics(&mut input);
        let inputs = input.parentheses().map_err(|_| no_function(start))?;
        let mut output: Vec<TokenTree> = input.rest().into_iter().collect();
        let body = output.pop().ok_or_else(|| no_function(start))?;
        Ok(Self {
            attributes,
            head,
            keyword,
            ident,
            generics,
            inputs,
            output: output.into_iter().collect(),
            body,
        })
    }

    pub(crate) fn is_async(&self) -> bool {
        self.head.iter().any(|token| is_word(Some(token), "async"))
    }

    pub(crate) fn make_async(&mut self) {
        // The order is `const async unsafe extern`.
        let is_later =
            |token: &TokenTree| is_word(Some(token), "unsafe") || is_word(Some(token), "extern");
        let at = self.head.iter().position(is_later);
        let at = at.unwrap_or(self.head.len());
        let keyword = Ident::new("async", Span::call_site());
        self.head.insert(at, keyword.into());
    }

    /// Returns the parameters of the type.
    pub(crate) fn type_parameters(&self) -> Option<&TokenStream> {
        // `<>` has no arguments.
        let has_some = self.generics.clone().into_iter().nth(2).is_some();
        has_some.then_some(&self.generics)
    }

    /// Returns the arguments, each with its attributes.
    pub(crate) fn arguments(&self) -> Vec<TokenStream> {
        split_at_commas(self.inputs.stream(), Angles::of_type())
    }

    pub(crate) fn tokens(&self) -> TokenStream {
        let mut tokens = all_tokens(&self.attributes);
        tokens.extend(self.head.iter().cloned());
        tokens.extend([self.keyword.clone(), self.ident.clone().into()]);
        tokens.extend(self.generics.clone());
        tokens.extend([TokenTree::from(self.inputs.clone())]);
        tokens.extend(self.output.clone());
        tokens.extend([self.body.clone()]);
        tokens
    }
}

/// Reads `<…>`, if it comes next.
fn generics(input: &mut Cursor) -> TokenStream {
    let mut generics = TokenStream::new();
    if !is_punct(input.peek(), '<') {
        return generics;
    }
    let mut angles = Angles::of_type();
    while let Some(token) = input.next() {
        angles.pass(&token);
        generics.extend([token]);
        if angles.is_outside() {
            break;
        }
    }
    generics
}

/// Returns the type of an argument, `name: Type`; a receiver has none.
pub(crate) fn type_of(argument: &TokenStream) -> Option<TokenStream> {
    let mut input = Cursor::new(argument.clone());
    Attribute::read_all(&mut input);
    // A path in a pattern has two colons.
    while let Some(token) = input.next() {
        if is_word(Some(&token), "self") {
            return None;
        }
        if is_punct(Some(&token), ':') && !input.take(':') {
            return Some(input.rest());
        }
    }
    None
}
