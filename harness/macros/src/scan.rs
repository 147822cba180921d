//! The few tokens of Rust that a search for attributes in a source file has to know.
//!
//! syn cannot be used: within a macro the tokens that are made of a text bear no places of it.

/// Returns the length of the white space or the comment at the beginning of `text`.
pub(crate) fn trivia(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    let length = text.len() - text.trim_start().len();
    (length > 0).then_some(length)
}

/// Returns the length of a block comment. Such comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find(['/', '*']) {
        at += found;
        match text.as_bytes().get(at..at + 2) {
            Some(b"/*") => depth += 1,
            Some(b"*/") => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Returns the length of the string or character at the beginning of `text`.
pub(crate) fn literal(text: &str) -> Option<usize> {
    if let Some(rest) = text.strip_prefix('"') {
        return Some(1 + quoted(rest, '"'));
    }
    if let Some(rest) = text.strip_prefix('\'') {
        // A quote may also begin a lifetime, which has no second quote.
        let mut chars = rest.chars();
        let first = chars.next()?;
        return match (first, chars.next()) {
            ('\\', _) => Some(1 + quoted(rest, '\'')),
            (_, Some('\'')) => Some(2 + first.len_utf8()),
            _ => None,
        };
    }
    raw(text)
}

/// Returns the length of a raw string with its `r`.
fn raw(text: &str) -> Option<usize> {
    let unprefixed = text.trim_start_matches(['b', 'c']);
    let hashed = unprefixed.strip_prefix('r')?;
    let inner = hashed.trim_start_matches('#');
    let hashes = &hashed[..hashed.len() - inner.len()];
    let inner = inner.strip_prefix('"')?;
    let before = text.len() - inner.len();
    let end = format!("\"{hashes}");
    let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
    Some(before + length)
}

/// Returns the length of what stands before the closing `quote`, with that quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}

/// Returns the length of the path or number at the beginning of `text`.
pub(crate) fn word(text: &str) -> Option<usize> {
    if raw(text).is_some() {
        return None;
    }
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let length = text.find(|c| !is_of_word(c)).unwrap_or(text.len());
    (length > 0).then_some(length)
}

/// Returns the path and the length of the attribute at the beginning of `text`.
pub(crate) fn attribute(text: &str) -> Option<(&str, usize)> {
    let inner = text
        .strip_prefix("#[")
        .or_else(|| text.strip_prefix("#!["))?;
    let start = text.len() - inner.len();
    let path = inner.trim_start();
    let path = &path[..word(path).unwrap_or(0)];
    let mut depth = 1;
    let mut at = start;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let skipped = trivia(rest).or_else(|| literal(rest));
        at += skipped.unwrap_or(first.len_utf8());
        match first {
            _ if skipped.is_some() => {}
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((path, at));
        }
    }
    None
}
