//! Records, as their lines in a zone have them.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::dns::error::RecordError;
use crate::dns::kind::RecordKind;
use crate::dns::name::DomainName;
use crate::dns::tokens::{Word, words};

/// The most seconds that an answer may be kept (RFC 2181, section 8).
const LONGEST_TTL: u32 = 0x7fff_ffff;

/// A record: a name, what it stands for, and for how long the answer may be kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The name.
    pub name: DomainName,
    /// Seconds for which the answer may be kept; the server's own number if there is none.
    pub ttl: Option<u32>,
    /// The data for which the name stands.
    pub data: RecordData,
}

/// The data of a record, by type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Another name.
    Cname(DomainName),
    /// The name of an address.
    Ptr(DomainName),
    /// A name server.
    Ns(DomainName),
    /// A mail exchange, with its preference.
    Mx(u16, DomainName),
    /// Strings of up to 255 bytes each.
    Txt(Vec<Vec<u8>>),
    /// The host of a service.
    Srv {
        /// The priority: the least is tried first.
        priority: u16,
        /// The weight among hosts of the same priority.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: DomainName,
    },
}

impl RecordData {
    /// Returns the other name for which the name stands, if the record is an alias.
    pub(crate) fn alias(&self) -> Option<&DomainName> {
        if let Self::Cname(target) = self {
            Some(target)
        } else {
            None
        }
    }

    /// Returns the type.
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::A(_) => RecordKind::A,
            Self::Aaaa(_) => RecordKind::Aaaa,
            Self::Cname(_) => RecordKind::Cname,
            Self::Ptr(_) => RecordKind::Ptr,
            Self::Ns(_) => RecordKind::Ns,
            Self::Mx(..) => RecordKind::Mx,
            Self::Txt(_) => RecordKind::Txt,
            Self::Srv { .. } => RecordKind::Srv,
        }
    }
}

impl Record {
    /// Reads a line of a zone: name, then perhaps seconds and `IN`, then type and data. A line
    /// without a record (blank, or a comment) is none.
    ///
    /// # Errors
    /// The line is no record.
    pub fn parse(line: &str, origin: &DomainName) -> Result<Option<Self>, RecordError> {
        let words = words(line)?;
        let Some((name, rest)) = words.split_first() else {
            return Ok(None);
        };
        let name = name_of(name, origin)?;
        let (ttl, data) = data_of(rest, origin)?;
        Ok(Some(Self { name, ttl, data }))
    }

    /// Reads a line without the name: perhaps seconds and `IN`, then type and data.
    ///
    /// # Errors
    /// The line has no valid type and data.
    pub fn parse_data(line: &str) -> Result<(Option<u32>, RecordData), RecordError> {
        data_of(&words(line)?, &DomainName::ROOT)
    }
}

fn name_of(word: &Word, origin: &DomainName) -> Result<DomainName, RecordError> {
    let name = word.text();
    DomainName::within(&name, origin).map_err(|source| RecordError::Name { name, source })
}

fn data_of(words: &[Word], origin: &DomainName) -> Result<(Option<u32>, RecordData), RecordError> {
    let mut words = words.iter().peekable();
    let mut ttl = None;
    while let Some(word) = words.peek() {
        let text = word.text();
        if text.eq_ignore_ascii_case("in") && !word.quoted {
        } else if text.starts_with(|c: char| c.is_ascii_digit()) && ttl.is_none() {
            let seconds = text.parse().ok().filter(|it| *it <= LONGEST_TTL);
            ttl = Some(seconds.ok_or(RecordError::Seconds(text))?);
        } else {
            break;
        }
        words.next();
    }
    let kind = words.next().ok_or(RecordError::NoKind)?.text();
    let kind: RecordKind = kind.parse().map_err(RecordError::Kind)?;
    let rest: Vec<&Word> = words.collect();
    Ok((ttl, data(kind, &rest, origin)?))
}

fn data(kind: RecordKind, words: &[&Word], origin: &DomainName) -> Result<RecordData, RecordError> {
    match (kind, words) {
        (RecordKind::A, [address]) => Ok(RecordData::A(value(address, "an IPv4 address")?)),
        (RecordKind::Aaaa, [address]) => Ok(RecordData::Aaaa(value(address, "an IPv6 address")?)),
        (RecordKind::Cname, [name]) => Ok(RecordData::Cname(name_of(name, origin)?)),
        (RecordKind::Ptr, [name]) => Ok(RecordData::Ptr(name_of(name, origin)?)),
        (RecordKind::Ns, [name]) => Ok(RecordData::Ns(name_of(name, origin)?)),
        (RecordKind::Mx, [preference, name]) => Ok(RecordData::Mx(
            value(preference, "a preference, a number up to 65535")?,
            name_of(name, origin)?,
        )),
        (RecordKind::Srv, [priority, weight, port, target]) => Ok(RecordData::Srv {
            priority: value(priority, "a priority, a number up to 65535")?,
            weight: value(weight, "a weight, a number up to 65535")?,
            port: value(port, "a port")?,
            target: name_of(target, origin)?,
        }),
        (RecordKind::Txt, [_, ..]) => match words.iter().find(|it| it.bytes.len() > 255) {
            Some(long) => Err(RecordError::LongString(long.bytes.len())),
            None => Ok(RecordData::Txt(
                words.iter().map(|it| it.bytes.clone()).collect(),
            )),
        },
        (RecordKind::Any | RecordKind::Soa | RecordKind::Other(_), _) => {
            Err(RecordError::KindOfNoZone(kind))
        }
        (
            RecordKind::A
            | RecordKind::Aaaa
            | RecordKind::Cname
            | RecordKind::Ptr
            | RecordKind::Ns
            | RecordKind::Mx
            | RecordKind::Srv
            | RecordKind::Txt,
            words,
        ) => Err(RecordError::Words {
            kind,
            count: words.len(),
        }),
    }
}

fn value<T: FromStr>(word: &Word, expected: &'static str) -> Result<T, RecordError> {
    let word = word.text();
    word.parse()
        .map_err(|_| RecordError::Value { word, expected })
}
