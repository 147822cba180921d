//! Trees as JSON (RFC 8259).
//!
//! serde_json does this too. But as long as serde_json is among the dependencies of a program,
//! `u8` can be compared with its `Value`, and rustc no longer infers the types of some suites that
//! it compiled before (`PartialEq<Value> for u8`; the suite of bytes 1.10, 2026-11-30).

use std::fmt::Write;

use crate::error::TreeError;
use crate::tree::{Tree, TreeContent, TreeEntry};

/// Depth of lists and tables beyond which a text is refused, so that no text can use up the stack.
const DEEPEST: usize = 128;

impl Tree {
    /// Returns the tree as JSON, on one line.
    pub fn to_json(&self) -> String {
        let mut text = String::new();
        write(self, None, &mut text);
        text
    }

    /// Returns the tree as JSON, with a line for each value.
    pub fn to_json_lines(&self) -> String {
        let mut text = String::new();
        write(self, Some(0), &mut text);
        text
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// The text is no JSON.
    pub fn from_json(text: &str) -> Result<Self, TreeError> {
        let mut reader = JsonReader { text, at: 0 };
        let tree = reader.value(DEEPEST)?;
        reader.skip_space();
        match reader.rest().is_empty() {
            true => Ok(tree),
            false => Err(reader.error("trailing characters")),
        }
    }
}

/// Writes a tree: on one line, or with an indent of so many steps.
fn write(tree: &Tree, indent: Option<usize>, text: &mut String) {
    let inner = indent.map(|steps| steps + 1);
    let new_line = |text: &mut String, indent: Option<usize>| {
        if let Some(steps) = indent {
            text.push('\n');
            text.extend(std::iter::repeat_n("  ", steps));
        }
    };
    match &tree.content {
        TreeContent::Nothing => text.push_str("null"),
        TreeContent::Bool(it) => text.push_str(if *it { "true" } else { "false" }),
        TreeContent::Integer(it) => text.push_str(&it.to_string()),
        TreeContent::Float(it) if it.is_finite() => text.push_str(&format!("{it:?}")),
        TreeContent::Float(_) => text.push_str("null"),
        TreeContent::Text(it) => write_text(it, text),
        TreeContent::List(list) if list.is_empty() => text.push_str("[]"),
        TreeContent::List(list) => {
            for (index, it) in list.iter().enumerate() {
                text.push(if index == 0 { '[' } else { ',' });
                new_line(text, inner);
                write(it, inner, text);
            }
            new_line(text, indent);
            text.push(']');
        }
        TreeContent::Table(table) if table.is_empty() => text.push_str("{}"),
        TreeContent::Table(table) => {
            for (index, entry) in table.iter().enumerate() {
                text.push(if index == 0 { '{' } else { ',' });
                new_line(text, inner);
                write_text(&entry.key, text);
                text.push_str(if indent.is_some() { ": " } else { ":" });
                write(&entry.value, inner, text);
            }
            new_line(text, indent);
            text.push('}');
        }
    }
}

fn write_text(it: &str, text: &mut String) {
    text.push('"');
    for letter in it.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            control if control < ' ' => {
                // To write to a string cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

struct JsonReader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> JsonReader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn error(&self, why: &str) -> TreeError {
        TreeError::new(why, Some(self.at))
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\n', '\r', '\t']).len();
    }

    /// Takes the next characters, if they are these.
    fn take(&mut self, wanted: &str) -> bool {
        let is_there = self.rest().starts_with(wanted);
        self.at += if is_there { wanted.len() } else { 0 };
        is_there
    }

    fn value(&mut self, depth: usize) -> Result<Tree, TreeError> {
        self.skip_space();
        let at = Some(self.at);
        let content = if self.take("null") {
            TreeContent::Nothing
        } else if self.take("true") {
            TreeContent::Bool(true)
        } else if self.take("false") {
            TreeContent::Bool(false)
        } else if self.take("\"") {
            TreeContent::Text(self.string()?)
        } else if self.take("[") {
            TreeContent::List(self.list(depth)?)
        } else if self.take("{") {
            TreeContent::Table(self.table(depth)?)
        } else {
            self.number()?
        };
        Ok(Tree { content, at })
    }

    fn deeper(&self, depth: usize) -> Result<usize, TreeError> {
        let deeper = depth.checked_sub(1);
        deeper.ok_or_else(|| self.error("recursion limit exceeded"))
    }

    /// Takes the comma before a further value, or the bracket at the end. Returns whether a value
    /// follows.
    fn goes_on(&mut self, is_first: bool, end: &str) -> Result<bool, TreeError> {
        self.skip_space();
        if self.take(end) {
            return Ok(false);
        }
        match is_first || self.take(",") {
            true => Ok(true),
            false => Err(self.error(&format!("expected `,` or `{end}`"))),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Tree>, TreeError> {
        let depth = self.deeper(depth)?;
        let mut list = Vec::new();
        while self.goes_on(list.is_empty(), "]")? {
            list.push(self.value(depth)?);
        }
        Ok(list)
    }

    fn table(&mut self, depth: usize) -> Result<Vec<TreeEntry>, TreeError> {
        let depth = self.deeper(depth)?;
        let mut table = Vec::new();
        while self.goes_on(table.is_empty(), "}")? {
            self.skip_space();
            let at = Some(self.at);
            if !self.take("\"") {
                return Err(self.error("key must be a string"));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(":") {
                return Err(self.error("expected `:`"));
            }
            let value = self.value(depth)?;
            table.push(TreeEntry { key, at, value });
        }
        Ok(table)
    }

    fn number(&mut self) -> Result<TreeContent, TreeError> {
        let rest = self.rest();
        let is_of_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let text = &rest[..rest.find(|c| !is_of_number(c)).unwrap_or(rest.len())];
        let digits = text.strip_prefix('-').unwrap_or(text);
        let starts_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        // JSON has neither `+1` nor `.5`, nor `01`, nor `1.` and `1.e2`.
        let has_zero_ahead = digits.strip_prefix('0').is_some_and(starts_with_digit);
        let ends_at_point = text.ends_with('.') || text.contains(".e") || text.contains(".E");
        let is_number = starts_with_digit(digits) && !has_zero_ahead && !ends_at_point;
        let whole = text.parse().map(TreeContent::Integer).ok();
        // A number beyond the largest of `f64` would be read as infinity, which JSON does not have.
        let float = || text.parse().ok().filter(|it: &f64| it.is_finite());
        let content = whole.or_else(|| float().map(TreeContent::Float));
        let content = content.filter(|_| is_number);
        let content = content.ok_or_else(|| self.error("expected value"))?;
        self.at += text.len();
        Ok(content)
    }

    /// Reads the string whose first quote was taken.
    fn string(&mut self) -> Result<String, TreeError> {
        let mut string = String::new();
        loop {
            let rest = self.rest();
            let is_special = |c: char| c == '"' || c == '\\' || c < ' ';
            let Some(plain) = rest.find(is_special) else {
                return Err(self.error("EOF while parsing a string"));
            };
            string.push_str(&rest[..plain]);
            self.at += plain;
            if self.take("\"") {
                return Ok(string);
            }
            if !self.take("\\") {
                return Err(self.error("control character found while parsing a string"));
            }
            string.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Result<char, TreeError> {
        const NAMED: [(&str, char); 8] = [
            ("\"", '"'),
            ("\\", '\\'),
            ("/", '/'),
            ("b", '\u{8}'),
            ("f", '\u{c}'),
            ("n", '\n'),
            ("r", '\r'),
            ("t", '\t'),
        ];
        if let Some((_, letter)) = NAMED.iter().find(|(name, _)| self.take(name)) {
            return Ok(*letter);
        }
        let unit = self.unit()?;
        let code = match unit {
            // Two units of UTF-16 make one character.
            0xd800..=0xdbff if self.take("\\") => match self.unit()? {
                low @ 0xdc00..=0xdfff => 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00),
                _ => return Err(self.error("lone leading surrogate in hex escape")),
            },
            _ => unit,
        };
        char::from_u32(code).ok_or_else(|| self.error("lone surrogate in hex escape"))
    }

    fn unit(&mut self) -> Result<u32, TreeError> {
        let digits = self.rest().strip_prefix('u').and_then(|rest| rest.get(..4));
        let digits = digits.filter(|digits| digits.bytes().all(|c| c.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.error("invalid escape"))?;
        self.at += 5;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what serde_json makes of a text, as this module writes it.
    fn expected(text: &str) -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        Some(Tree::of(&value).expect("a tree").to_json())
    }

    #[test]
    fn texts_are_read_as_serde_json_reads_them() {
        let texts = [
            "null",
            "[]",
            "{}",
            " [1, -2,3.5 ,1e3,-0.25E-2] ",
            "01",
            "+1",
            ".5",
            "1.",
            "-",
            "1e",
            r#"{"b": "x\n\"\\\/\b\f\té\u00e9\ud83d\ude00", "c": [true, false, {"d": null}]}"#,
            r#""\ud83d""#,
            r#""\udc00""#,
            r#""\ud83dx""#,
            r#""\ud83d\n""#,
            "\"\u{1}\"",
            r#""\x""#,
            r#""\u12"#,
            "\"",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{a:1}",
            "[1] 2",
            "",
            "nul",
            "18446744073709551615",
            "1.e3",
            "-01",
            "--1",
            "1-2",
            "1e308",
            "1e309",
            "-1e400",
            "1e-400",
            "\"ü\"",
            "[1 2]",
            "{\"a\" 1}",
            "tru",
            "\"\\u00é9\"",
        ];
        for text in texts {
            let read = Tree::from_json(text).ok().map(|tree| tree.to_json());
            assert_eq!(read, expected(text), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(Tree::from_json(&deep).is_err());
    }

    #[test]
    fn values_are_written_as_serde_json_writes_them() {
        let text = r#"{"a":[1,-2,0.1,1e-7,123456.789,[],{}],"b":{"c":"\u0001\u001f\"\\ \b\f\n\r\té"},"d":null,"e":true}"#;
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let tree = Tree::of(&value).unwrap();
        assert_eq!(tree.to_json(), value.to_string());
        assert_eq!(tree.to_json_lines(), format!("{value:#}"));
    }
}
