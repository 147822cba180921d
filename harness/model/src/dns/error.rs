//! Errors about names, records and faults that a name server is to have.

use std::error::Error;
use std::fmt;

use snowglobe_text::counted;

use crate::dns::kind::{RecordKind, UnknownRecordKind};
use crate::dns::name::{LABEL, NAME};

/// The reason why a text is no domain name (RFC 1035, section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// The name has this number of bytes, which is more than a name may have.
    TooLong(usize),
    /// A label is empty.
    EmptyLabel,
    /// A label other than the first is a `*`.
    MisplacedWildcard,
    /// A label has this number of bytes, which is more than a label may have.
    LongLabel(usize),
    /// A label has a character that labels cannot have.
    Character(char),
}

/// Tells the error as the rest of a sentence that begins with the name.
impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(length) => {
                write!(f, "has {length} bytes; a name has at most {NAME}")
            }
            Self::EmptyLabel => f.write_str(
                "has an empty label; a label has 1 to 63 letters, digits, hyphens and underscores",
            ),
            Self::MisplacedWildcard => f.write_str("has a `*` that is not its first label"),
            Self::LongLabel(length) => {
                write!(
                    f,
                    "has a label of {length} bytes; a label has at most {LABEL}"
                )
            }
            Self::Character(odd) => write!(
                f,
                "has `{}` in it; a label is made of letters a–z, digits, hyphens and underscores",
                odd.escape_debug()
            ),
        }
    }
}

impl Error for NameError {}

/// The reason why a line of a zone is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The line has a parenthesis, by which zone files continue a record on the next line.
    Parenthesis,
    /// A string in quotes does not end.
    OpenQuote,
    /// A backslash is the last character.
    BackslashAtEnd,
    /// The digits after a backslash do not stand for a byte.
    EscapedNumber,
    /// A name in the line is invalid.
    Name {
        /// The name.
        name: String,
        /// The reason why the name is invalid.
        source: NameError,
    },
    /// A word stands where the seconds of the record should be.
    Seconds(String),
    /// The line has no type.
    NoKind,
    /// The type is unknown.
    Kind(UnknownRecordKind),
    /// No zone can have records of this type.
    KindOfNoZone(RecordKind),
    /// A string has this number of bytes, which is more than 255.
    LongString(usize),
    /// A word stands where something else should be.
    Value {
        /// The word.
        word: String,
        /// The thing that should be there, with its article.
        expected: &'static str,
    },
    /// The type is followed by too few or too many words.
    Words {
        /// The type.
        kind: RecordKind,
        /// The number of words after the type.
        count: usize,
    },
}

/// Tells the error as the rest of a sentence that begins with the line.
impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parenthesis => {
                f.write_str("has a parenthesis; each record is on a line of its own")
            }
            Self::OpenQuote => f.write_str("has a quote that is not closed"),
            Self::BackslashAtEnd => f.write_str("has a backslash before nothing"),
            Self::EscapedNumber => f.write_str(
                "has a backslash before digits that are no byte; write `\\000` to `\\255`",
            ),
            Self::Name { name, source } => {
                write!(f, "names `{}`, which {source}", name.escape_debug())
            }
            Self::Seconds(word) => {
                write!(
                    f,
                    "has `{}` where its seconds should be",
                    word.escape_debug()
                )
            }
            Self::NoKind => f.write_str("has no type, such as A"),
            Self::Kind(source) => write!(f, "has an unknown type: {source}"),
            Self::KindOfNoZone(kind) => write!(
                f,
                "has the type {kind}; a zone can have A, AAAA, CNAME, MX, NS, PTR, SRV and TXT"
            ),
            Self::LongString(length) => {
                write!(f, "has a string of {length} bytes; each has at most 255")
            }
            Self::Value { word, expected } => {
                write!(
                    f,
                    "has `{}` where {expected} should be",
                    word.escape_debug()
                )
            }
            Self::Words { kind, count } => {
                let words = counted(*count, "word");
                write!(f, "has {words} after {kind}; write {}", form(*kind))
            }
        }
    }
}

/// Returns what a record of a type looks like.
fn form(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::A => "`A 192.0.2.1`",
        RecordKind::Aaaa => "`AAAA 2001:db8::1`",
        RecordKind::Mx => "`MX 10 mail`",
        RecordKind::Srv => "`SRV priority weight port host`",
        RecordKind::Txt => "`TXT \"some text\"`",
        RecordKind::Ns | RecordKind::Cname | RecordKind::Ptr => "one name after the type",
        RecordKind::Soa | RecordKind::Any | RecordKind::Other(_) => "another type",
    }
}

impl Error for RecordError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Name { source, .. } => Some(source),
            Self::Kind(source) => Some(source),
            Self::Parenthesis
            | Self::OpenQuote
            | Self::BackslashAtEnd
            | Self::EscapedNumber
            | Self::Seconds(_)
            | Self::NoKind
            | Self::KindOfNoZone(_)
            | Self::LongString(_)
            | Self::Value { .. }
            | Self::Words { .. } => None,
        }
    }
}

/// The reason why a name server cannot have a [`DnsFault`](super::DnsFault).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsFaultError {
    /// The name in the questions is invalid.
    Name {
        /// The name.
        name: String,
        /// The reason why the name is invalid.
        source: NameError,
    },
    /// A record of the answer is invalid.
    Record {
        /// The line of the record.
        line: String,
        /// The reason why the record is invalid.
        source: RecordError,
    },
}

impl fmt::Display for DnsFaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name, source } => {
                write!(f, "the name `{}` {source}", name.escape_debug())
            }
            Self::Record { line, source } => {
                write!(f, "the record `{}` {source}", line.escape_debug())
            }
        }
    }
}

impl Error for DnsFaultError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Name { source, .. } => Some(source),
            Self::Record { source, .. } => Some(source),
        }
    }
}
