//! Types of records, by name and by number.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use snowglobe_derive::{Deserialize, Serialize};

/// The type of a record, or of what is asked for (RFC 1035, section 3.2.2; RFC 3596; RFC 2782).
///
/// ```
/// use snowglobe_model::dns::RecordKind;
///
/// assert_eq!("aaaa".parse(), Ok(RecordKind::Aaaa));
/// assert_eq!(RecordKind::from_number(65).to_string(), "TYPE65");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RecordKind {
    /// An IPv4 address.
    A,
    /// A name server.
    Ns,
    /// Another name for which the name stands.
    Cname,
    /// The start of a zone.
    Soa,
    /// The name of an address.
    Ptr,
    /// A mail exchange.
    Mx,
    /// A text.
    Txt,
    /// An IPv6 address.
    Aaaa,
    /// The host and the port of a service.
    Srv,
    /// All types, as a question.
    Any,
    /// Any other type, by its number.
    Other(u16),
}

impl RecordKind {
    const NAMED: [(Self, u16, &'static str); 10] = [
        (Self::A, 1, "A"),
        (Self::Ns, 2, "NS"),
        (Self::Cname, 5, "CNAME"),
        (Self::Soa, 6, "SOA"),
        (Self::Ptr, 12, "PTR"),
        (Self::Mx, 15, "MX"),
        (Self::Txt, 16, "TXT"),
        (Self::Aaaa, 28, "AAAA"),
        (Self::Srv, 33, "SRV"),
        (Self::Any, 255, "ANY"),
    ];

    /// Returns the number of the type.
    pub fn number(self) -> u16 {
        if let Self::Other(number) = self {
            return number;
        }
        let named = Self::NAMED.iter().find(|(kind, _, _)| *kind == self);
        named.map_or(0, |(_, number, _)| *number)
    }

    /// Returns the type with this number.
    pub fn from_number(number: u16) -> Self {
        let named = Self::NAMED.iter().find(|(_, it, _)| *it == number);
        named.map_or(Self::Other(number), |(kind, _, _)| *kind)
    }
}

/// The error that a text names no type of records. It has the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRecordKind(String);

impl fmt::Display for UnknownRecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no record type `{}`; there are A, AAAA, CNAME, MX, NS, PTR, SRV and TXT",
            self.0.escape_debug()
        )
    }
}

impl Error for UnknownRecordKind {}

impl FromStr for RecordKind {
    type Err = UnknownRecordKind;

    fn from_str(text: &str) -> Result<Self, UnknownRecordKind> {
        let named = Self::NAMED
            .iter()
            .find(|(_, _, name)| name.eq_ignore_ascii_case(text));
        let number = || {
            text.get(..4)?
                .eq_ignore_ascii_case("TYPE")
                .then(|| text[4..].parse().ok())?
        };
        match (named, number()) {
            (Some((kind, _, _)), _) => Ok(*kind),
            (None, Some(number)) => Ok(Self::from_number(number)),
            (None, None) => Err(UnknownRecordKind(text.to_owned())),
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Other(number) = self {
            // RFC 3597, section 5, gives this form to types without a name.
            return write!(f, "TYPE{number}");
        }
        let named = Self::NAMED.iter().find(|(kind, _, _)| kind == self);
        f.write_str(named.map_or("", |(_, _, name)| name))
    }
}

impl TryFrom<String> for RecordKind {
    type Error = UnknownRecordKind;

    fn try_from(text: String) -> Result<Self, UnknownRecordKind> {
        text.parse()
    }
}

impl From<RecordKind> for String {
    fn from(kind: RecordKind) -> String {
        kind.to_string()
    }
}
