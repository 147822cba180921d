//! What a name server was asked, and what it said.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use snowglobe_text::counted;

use crate::dns::kind::RecordKind;

/// A question that a name server of the lab was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsQuery {
    /// Time since the start of the trial.
    pub time: Duration,
    /// The asker.
    pub from: SocketAddr,
    /// Whether the question came over TCP.
    pub tcp: bool,
    /// The name, in small letters and without a dot at its end.
    pub name: String,
    /// The type of record that was asked for.
    pub kind: RecordKind,
    /// The answer in a word.
    pub outcome: DnsOutcome,
}

/// The answer of a name server, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DnsOutcome {
    /// This number of records.
    Answered(usize),
    /// The name exists, and has no record of the type.
    NoData,
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// The server has failed (SERVFAIL).
    Failed,
    /// The server does not answer such a question (REFUSED).
    Refused,
    /// The version of EDNS is not known (BADVERS).
    BadVersion,
    /// The answer is longer than a datagram that the asker takes; it is to ask by TCP.
    Truncated,
    /// Nothing was said.
    Silence,
}

impl fmt::Display for DnsOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(count) => f.write_str(&counted(*count, "record")),
            Self::NoData => f.write_str("no such record"),
            Self::NoName => f.write_str("NXDOMAIN"),
            Self::Failed => f.write_str("SERVFAIL"),
            Self::Refused => f.write_str("REFUSED"),
            Self::BadVersion => f.write_str("BADVERS"),
            Self::Truncated => f.write_str("truncated"),
            Self::Silence => f.write_str("silence"),
        }
    }
}

/// Tells the question on one line: `10.0.0.2:40000 asked by UDP for www.example.org A: 1 record`.
impl fmt::Display for DnsQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            time: _,
            from,
            tcp,
            name,
            kind,
            outcome,
        } = self;
        let by = if *tcp { "TCP" } else { "UDP" };
        let dot = if name.is_empty() { "." } else { "" };
        write!(f, "{from} asked by {by} for {name}{dot} {kind}: {outcome}")
    }
}
