//! Mistakes in name servers and their zones.

use std::error::Error;
use std::fmt;

use super::kind::{NounProblem, TopologyErrorKind};
use super::part::NamedPart;
use crate::dns::{NameError, RecordError};
use crate::topology::name::show;
use crate::v6::PrefixError;

/// A mistake in a name server. Lines and names are stored as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DnsProblem {
    /// A DNS64 has a prefix that no translation can have.
    Dns64Prefix {
        server: NamedPart,
        wrong: PrefixError,
    },
    ZoneName {
        server: NamedPart,
        zone: String,
        wrong: NameError,
    },
    ZoneTwice {
        server: NamedPart,
        zone: String,
    },
    ZoneTooLong {
        server: NamedPart,
        zone: String,
        most: usize,
    },
    /// A line is no record.
    WrongLine {
        server: NamedPart,
        zone: String,
        line: String,
        wrong: RecordError,
    },
    /// A line has a name that is not in the zone.
    NameOutsideZone {
        server: NamedPart,
        zone: String,
        line: String,
        name: String,
    },
    RecordTwice {
        server: NamedPart,
        zone: String,
        line: String,
    },
    /// A name is an alias and has another record.
    AliasWithRecord {
        server: NamedPart,
        zone: String,
        name: String,
        line: String,
    },
    /// A zone has an address for a name of a node.
    NameOfNode {
        zone: String,
        name: String,
    },
}

impl NounProblem for DnsProblem {
    fn kind(&self) -> TopologyErrorKind {
        match self {
            Self::Dns64Prefix { .. }
            | Self::ZoneName { .. }
            | Self::WrongLine { .. }
            | Self::NameOutsideZone { .. } => TopologyErrorKind::Invalid,
            Self::ZoneTwice { .. }
            | Self::RecordTwice { .. }
            | Self::AliasWithRecord { .. }
            | Self::NameOfNode { .. } => TopologyErrorKind::Conflict,
            Self::ZoneTooLong { .. } => TopologyErrorKind::TooLarge,
        }
    }

    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Dns64Prefix { wrong, .. } => Some(wrong),
            Self::ZoneName { wrong, .. } => Some(wrong),
            Self::WrongLine { wrong, .. } => Some(wrong),
            Self::NameOutsideZone { .. }
            | Self::ZoneTwice { .. }
            | Self::RecordTwice { .. }
            | Self::AliasWithRecord { .. }
            | Self::NameOfNode { .. }
            | Self::ZoneTooLong { .. } => None,
        }
    }
}

impl fmt::Display for DnsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns64Prefix { server, wrong } => {
                write!(f, "the DNS64 of {server} cannot have its prefix: {wrong}")
            }
            Self::ZoneName {
                server,
                zone,
                wrong,
            } => write!(f, "zone {} of {server} {wrong}", show(zone)),
            Self::ZoneTwice { server, zone } => write!(
                f,
                "{server} has zone {} twice; put all records into one",
                show(zone)
            ),
            Self::ZoneTooLong { server, zone, most } => write!(
                f,
                "zone {} of {server} has more than {most} lines; leave some out",
                show(zone)
            ),
            Self::WrongLine {
                server,
                zone,
                line,
                wrong,
            } => write!(
                f,
                "zone {} of {server}: line {} {wrong}",
                show(zone),
                show(line)
            ),
            Self::NameOutsideZone {
                server,
                zone,
                line,
                name,
            } => write!(
                f,
                "zone {} of {server}: line {} names {}, which is not in the zone; a name \
                 without a dot at its end is below the zone",
                show(zone),
                show(line),
                show(name)
            ),
            Self::RecordTwice { server, zone, line } => write!(
                f,
                "zone {} of {server} has record {} twice; leave one out",
                show(zone),
                show(line)
            ),
            Self::AliasWithRecord {
                server,
                zone,
                name,
                line,
            } => write!(
                f,
                "zone {} of {server}: {} is an alias (CNAME), and has another record in line {}; \
                 an alias has no other (RFC 1034, section 3.6.2)",
                show(zone),
                show(name),
                show(line)
            ),
            Self::NameOfNode { zone, name } => write!(
                f,
                "zone {} gives an address to {}, which is a node of the lab; take another name, or \
                 the alias away",
                show(zone),
                show(name)
            ),
        }
    }
}
