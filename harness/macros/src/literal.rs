//! Literals as values.

use proc_macro::{Ident, Literal, Span, TokenStream, TokenTree};

use crate::tokens::{Cursor, Result, SourceError};

/// A string as it is written.
#[derive(Clone)]
pub(crate) struct Text {
    literal: Literal,
    value: String,
}

impl Text {
    /// Returns the empty string.
    pub(crate) fn empty() -> Self {
        Self {
            literal: Literal::string(""),
            value: String::new(),
        }
    }

    pub(crate) fn value(&self) -> &str {
        &self.value
    }

    pub(crate) fn span(&self) -> Span {
        self.literal.span()
    }

    pub(crate) fn tokens(&self) -> TokenStream {
        TokenTree::from(self.literal.clone()).into()
    }

    fn of(literal: &Literal) -> Option<Self> {
        Some(Self {
            literal: literal.clone(),
            value: unquoted(&literal.to_string())?,
        })
    }

    /// Returns the string, if the tokens are one.
    pub(crate) fn alone(tokens: TokenStream) -> Option<Self> {
        let mut input = Cursor::of_values(tokens);
        let text = text(&mut input).ok()?;
        input.is_empty().then_some(text)
    }
}

/// A whole number as it is written.
pub(crate) struct Number {
    literal: Literal,
}

impl Number {
    pub(crate) fn span(&self) -> Span {
        self.literal.span()
    }

    pub(crate) fn tokens(&self) -> TokenStream {
        TokenTree::from(self.literal.clone()).into()
    }

    /// Returns the number, if it is below `bound`.
    pub(crate) fn below(&self, bound: u64) -> Result<u64> {
        let number = number_of(&self.literal.to_string()).filter(|number| *number < bound);
        number
            .ok_or_else(|| SourceError::new(self.span(), "number too large to fit in target type"))
    }
}

/// A string or a number.
pub(crate) enum Value {
    Text(Text),
    Number(Number),
    Other(Span),
}

pub(crate) fn text(input: &mut Cursor) -> Result<Text> {
    let text = match input.peek() {
        Some(TokenTree::Literal(literal)) => Text::of(literal),
        _ => None,
    };
    let text = text.ok_or_else(|| input.expected("string literal"))?;
    input.next();
    Ok(text)
}

pub(crate) fn number(input: &mut Cursor) -> Result<Number> {
    let literal = match input.peek() {
        Some(TokenTree::Literal(literal)) => Some(literal.clone()),
        _ => None,
    };
    let literal = literal.filter(|it| it.to_string().starts_with(|c: char| c.is_ascii_digit()));
    let literal = literal.filter(|it| !it.to_string().contains('.'));
    let literal = literal.ok_or_else(|| input.expected("integer literal"))?;
    input.next();
    Ok(Number { literal })
}

/// Reads `true` or `false`.
pub(crate) fn truth(input: &mut Cursor) -> Result<(bool, Span)> {
    let word: Option<&Ident> = match input.peek() {
        Some(TokenTree::Ident(word)) => Some(word),
        _ => None,
    };
    let word = word.map(|word| (word.to_string(), word.span()));
    match word {
        Some((word, span)) if word == "true" || word == "false" => {
            input.next();
            Ok((word == "true", span))
        }
        _ => Err(input.expected("boolean literal")),
    }
}

pub(crate) fn value(input: &mut Cursor) -> Result<Value> {
    let span = input.span();
    if input.is_empty() {
        return Err(input.expected("literal"));
    }
    if let Ok(text) = text(input) {
        return Ok(Value::Text(text));
    }
    if let Ok(number) = number(input) {
        return Ok(Value::Number(number));
    }
    input.next();
    Ok(Value::Other(span))
}

/// Returns the value of a number that is written with underscores, a base or the name of its type.
fn number_of(written: &str) -> Option<u64> {
    let plain = written.replace('_', "");
    let (base, digits) = match plain.get(..2) {
        Some("0x") => (16, &plain[2..]),
        Some("0o") => (8, &plain[2..]),
        Some("0b") => (2, &plain[2..]),
        _ => (10, &plain[..]),
    };
    let types = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    ];
    let digits = types
        .iter()
        .find_map(|name| digits.strip_suffix(name))
        .unwrap_or(digits);
    u64::from_str_radix(digits, base).ok()
}

/// Returns the value of a string literal, with or without escapes.
fn unquoted(written: &str) -> Option<String> {
    if let Some(raw) = written.strip_prefix('r') {
        let inner = raw.trim_matches('#');
        return Some(inner.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    }
    let inner = written.strip_prefix('"')?.strip_suffix('"')?;
    let mut value = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            value.push(letter);
            continue;
        }
        match letters.next()? {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            '0' => value.push('\0'),
            'x' => {
                let digits: String = letters.by_ref().take(2).collect();
                value.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
            }
            'u' => {
                let digits = letters.by_ref().skip(1).take_while(|c| *c != '}');
                let digits: String = digits.filter(|c| *c != '_').collect();
                value.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
            }
            // At the end of a line: the string goes on at the next letter.
            '\n' | '\r' => {
                let rest = letters.as_str().trim_start();
                letters = rest.chars();
            }
            other => value.push(other),
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_have_their_values() {
        for (written, value) in [
            (r#""plain é""#, "plain é"),
            (r#""\"\\\n\t\0\'""#, "\"\\\n\t\0'"),
            (r#""\x41\u{e9}\u{1_F600}""#, "Aé😀"),
            ("\"one \\\n     line\"", "one line"),
            ("r\"a\\n\"", "a\\n"),
            ("r##\"a\"#b\"##", "a\"#b"),
        ] {
            assert_eq!(unquoted(written).as_deref(), Some(value), "{written}");
        }
        assert_eq!(unquoted("b\"bytes\""), None);
        assert_eq!(unquoted("'c'"), None);
    }

    #[test]
    fn numbers_have_their_values() {
        for (written, value) in [
            ("0", Some(0)),
            ("1_000u64", Some(1000)),
            ("0xff", Some(255)),
            ("0b11usize", Some(3)),
            ("18446744073709551616", None),
        ] {
            assert_eq!(number_of(written), value, "{written}");
        }
    }
}
