//! The words of a line of a zone: separated by blanks, with strings in quotes and comments (RFC
//! 1035, section 5.1).

use crate::dns::error::RecordError;

/// A word of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) bytes: Vec<u8>,
    pub(super) quoted: bool,
}

impl Word {
    /// Returns the word as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Divides a line into words.
pub(super) fn words(line: &str) -> Result<Vec<Word>, RecordError> {
    let mut words: Vec<Word> = Vec::new();
    let mut bytes = line.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\r' => {}
            b';' => break,
            b'(' | b')' => return Err(RecordError::Parenthesis),
            _ => {
                let quoted = byte == b'"';
                let mut word = Vec::new();
                let mut next = if quoted { bytes.next() } else { Some(byte) };
                loop {
                    match next {
                        None if quoted => return Err(RecordError::OpenQuote),
                        Some(b'"') if quoted => break,
                        Some(b'\\') => word.push(escaped(&mut bytes)?),
                        Some(byte) => word.push(byte),
                        None => break,
                    }
                    let ends = |byte: &u8| b" \t\r;".contains(byte);
                    if !quoted && bytes.peek().is_none_or(ends) {
                        break;
                    }
                    next = bytes.next();
                }
                words.push(Word {
                    bytes: word,
                    quoted,
                });
            }
        }
    }
    Ok(words)
}

/// Reads what stands after a backslash: a character, or a byte as three digits.
fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, RecordError> {
    let first = bytes.next().ok_or(RecordError::BackslashAtEnd)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let digits: Vec<u8> = [first].into_iter().chain(bytes.take(2)).collect();
    let number = std::str::from_utf8(&digits)
        .ok()
        .and_then(|it| it.parse().ok());
    match number {
        Some(byte) if digits.len() == 3 => Ok(byte),
        _ => Err(RecordError::EscapedNumber),
    }
}
