//! Tokens as our macros read and write them.
//!
//! syn reads all of Rust. Our macros read attributes, names and a few values, and leave the rest as
//! it is. Without syn, quote and proc-macro2 a first build takes 5 s less of processor time
//! (debug, two cores, 2026-11-30).

use std::fmt::Display;
use std::iter::once;

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use crate::own_crate;

pub(crate) type Result<T> = std::result::Result<T, SourceError>;

/// A mistake in the source, with its place.
#[derive(Debug)]
pub(crate) struct SourceError {
    start: Span,
    end: Span,
    text: String,
}

impl SourceError {
    pub(crate) fn new(span: Span, text: impl Display) -> Self {
        Self {
            start: span,
            end: span,
            text: text.to_string(),
        }
    }

    /// Makes an error about all of the tokens.
    pub(crate) fn over(tokens: TokenStream, text: impl Display) -> Self {
        let mut spans = tokens.into_iter().map(|token| token.span());
        let start = spans.next().unwrap_or_else(Span::call_site);
        Self {
            end: spans.last().unwrap_or(start),
            ..Self::new(start, text)
        }
    }

    pub(crate) fn span(&self) -> Span {
        self.start
    }

    /// Returns the tokens for which the compiler reports the error.
    pub(crate) fn to_compile_error(&self) -> TokenStream {
        // The compiler underlines from the first token of a macro to its last.
        let name = fill_at(self.start, "::core::compile_error!", &[]);
        let mut text = TokenTree::from(Literal::string(&self.text));
        text.set_span(self.end);
        let mut braces = Group::new(Delimiter::Brace, text.into());
        braces.set_span(self.end);
        name.into_iter().chain(once(braces.into())).collect()
    }
}

/// Returns the tokens of a template, in which each name of `parts` stands for tokens, and
/// `::snowglobe` for the crate by whatever name the user's source has it.
pub(crate) fn fill(template: &str, parts: &[(&str, &TokenStream)]) -> TokenStream {
    replace(tokens_of(template), parts, None)
}

/// Returns the tokens of a template, which are reported at the `span`.
///
/// The span of a token also says in which edition the compiler reads the token. Ours names crates
/// as since edition 2018 (`::core`), and the user's source may be of 2015.
pub(crate) fn fill_at(span: Span, template: &str, parts: &[(&str, &TokenStream)]) -> TokenStream {
    let span = Span::call_site().located_at(span);
    replace(tokens_of(template), parts, Some(span))
}

fn tokens_of(template: &str) -> TokenStream {
    let tokens = template.replace("::snowglobe::", &format!("{}::", own_crate::path()));
    tokens.parse().expect("a template is a list of tokens")
}

fn replace(tokens: TokenStream, parts: &[(&str, &TokenStream)], span: Option<Span>) -> TokenStream {
    let mut replaced = TokenStream::new();
    for mut token in tokens {
        if let TokenTree::Ident(ident) = &token {
            let name = ident.to_string();
            if let Some((_, part)) = parts.iter().find(|(part, _)| *part == name) {
                replaced.extend((*part).clone());
                continue;
            }
        }
        if let TokenTree::Group(group) = &token {
            let mut inner = Group::new(group.delimiter(), replace(group.stream(), parts, span));
            inner.set_span(group.span());
            token = inner.into();
        }
        if let Some(span) = span {
            token.set_span(span);
        }
        replaced.extend(once(token));
    }
    replaced
}

/// Returns a string as a token.
pub(crate) fn string(text: &str) -> TokenStream {
    TokenTree::from(Literal::string(text)).into()
}

/// Returns whether the token is this punctuation.
pub(crate) fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(it)) if it.as_char() == wanted)
}

/// Returns whether the token is this word.
pub(crate) fn is_word(token: Option<&TokenTree>, wanted: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(it)) if it.to_string() == wanted)
}

/// Returns the group, if the token is one with these brackets.
pub(crate) fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<&Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

/// Splits a list at its commas, but not at those between `angles`.
pub(crate) fn split_at_commas(tokens: TokenStream, mut angles: Angles) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        if angles.is_outside() && is_punct(Some(&token), ',') {
            parts.push(TokenStream::new());
            continue;
        }
        angles.pass(&token);
        parts.last_mut().expect("there is a part").extend([token]);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The depth of angle brackets, in types and behind `::`.
#[derive(Default)]
pub(crate) struct Angles {
    depth: usize,
    last: [char; 2],
    /// Whether every `<` is a bracket, as in a type. In an expression, only `::<` is one.
    is_type: bool,
}

impl Angles {
    pub(crate) fn of_expression() -> Self {
        Self::default()
    }

    pub(crate) fn of_type() -> Self {
        Self {
            is_type: true,
            ..Self::default()
        }
    }

    pub(crate) fn is_outside(&self) -> bool {
        self.depth == 0
    }

    pub(crate) fn pass(&mut self, token: &TokenTree) {
        let now = match token {
            TokenTree::Punct(punct) => punct.as_char(),
            _ => ' ',
        };
        let [before, last] = self.last;
        let opens = self.is_type || self.depth > 0 || (before == ':' && last == ':');
        match now {
            '<' if opens => self.depth += 1,
            // `->` is an arrow.
            '>' if last != '-' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.last = [last, now];
    }
}

/// Tokens that are read from the first to the last.
pub(crate) struct Cursor {
    tokens: Vec<TokenTree>,
    at: usize,
}

impl Cursor {
    pub(crate) fn new(tokens: TokenStream) -> Self {
        Self {
            tokens: tokens.into_iter().collect(),
            at: 0,
        }
    }

    /// Returns a cursor on values: what a macro has put in the place of its arguments, which comes
    /// in brackets that are not written, stands there as if it were written.
    pub(crate) fn of_values(tokens: TokenStream) -> Self {
        Self::new(unwrapped(tokens))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.tokens.len()
    }

    pub(crate) fn peek(&self) -> Option<&TokenTree> {
        self.tokens.get(self.at)
    }

    /// Returns the token after the next one.
    pub(crate) fn peek_second(&self) -> Option<&TokenTree> {
        self.tokens.get(self.at + 1)
    }

    pub(crate) fn next(&mut self) -> Option<TokenTree> {
        let token = self.peek().cloned()?;
        self.at += 1;
        Some(token)
    }

    /// Returns the place of the next token.
    pub(crate) fn span(&self) -> Span {
        self.peek().map_or_else(Span::call_site, TokenTree::span)
    }

    /// Returns the tokens that were not read.
    pub(crate) fn rest(&mut self) -> TokenStream {
        let rest = self.tokens[self.at..].iter().cloned().collect();
        self.at = self.tokens.len();
        rest
    }

    pub(crate) fn take(&mut self, punct: char) -> bool {
        let is_there = is_punct(self.peek(), punct);
        self.at += usize::from(is_there);
        is_there
    }

    pub(crate) fn expect(&mut self, punct: char) -> Result<()> {
        match self.take(punct) {
            true => Ok(()),
            false => Err(self.expected(&format!("`{punct}`"))),
        }
    }

    /// Makes the error that something else was expected.
    pub(crate) fn expected(&self, what: &str) -> SourceError {
        let end = if self.is_empty() {
            "unexpected end of input, "
        } else {
            ""
        };
        SourceError::new(self.span(), format!("{end}expected {what}"))
    }

    pub(crate) fn word(&mut self) -> Result<Ident> {
        match self.peek() {
            Some(TokenTree::Ident(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.expected("identifier")),
        }
    }

    /// Reads what stands in parentheses.
    pub(crate) fn parentheses(&mut self) -> Result<Group> {
        let Some(group) = group(self.peek(), Delimiter::Parenthesis).cloned() else {
            return Err(self.expected("parentheses"));
        };
        self.at += 1;
        Ok(group)
    }

    /// Checks that all was read.
    pub(crate) fn expect_end(&self) -> Result<()> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(SourceError::new(self.span(), "unexpected token")),
        }
    }
}

fn unwrapped(tokens: TokenStream) -> TokenStream {
    let mut plain = TokenStream::new();
    for token in tokens {
        match group(Some(&token), Delimiter::None) {
            Some(group) => plain.extend(unwrapped(group.stream())),
            None => plain.extend(once(token)),
        }
    }
    plain
}

/// Returns a comma.
pub(crate) fn comma() -> TokenTree {
    Punct::new(',', Spacing::Alone).into()
}
