//! What makes the answers of a name server late, wrong or missing.

use std::fmt;
use std::time::Duration;

use snowglobe_derive::{Deserialize, Serialize};

use crate::dns::catalog::OtherForm;
use crate::dns::error::DnsFaultError;
use crate::dns::kind::RecordKind;
use crate::dns::name::DomainName;
use crate::dns::record::{Record, RecordData};

/// A temporary change for the worse of what a name server answers.
///
/// ```
/// use std::time::Duration;
/// use snowglobe_model::dns::{DnsFault, RecordKind};
///
/// let slow = DnsFault::delay(Duration::from_millis(300));
/// let gone = DnsFault::nxdomain().of_name("*.example.org");
/// let moved = DnsFault::answer(["A 192.0.2.9"]).of_name("www.example.org");
/// let no_v6 = DnsFault::servfail().of_kind(RecordKind::Aaaa);
/// assert_eq!(gone.to_string(), "NXDOMAIN for `*.example.org`");
/// # drop((slow, moved, no_v6));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsFault {
    /// The change of the answers.
    pub effect: DnsEffect,
    /// The name that the questions are about; with `*.` in front, all names below the rest; `*`
    /// alone or without a name, all names. A name of the lab is meant with and without the lab's
    /// domain (`bob`, `bob.lab`), as resolvers ask for either; a dot at the end (`bob.`) confines
    /// the fault to the name as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The type of record that is asked for; any type if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<RecordKind>,
}

/// The change of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DnsEffect {
    /// The answer comes late by this time.
    Delay(#[serde(with = "crate::impair::text::serde_duration")] Duration),
    /// The answer says that the server has failed (SERVFAIL).
    Servfail,
    /// The answer says that there is no such name (NXDOMAIN).
    Nxdomain,
    /// The answer by UDP says that the asker is to ask by TCP.
    Truncate,
    /// The answer does not come.
    Silence,
    /// The answer has these records instead, as lines without a name: `A 192.0.2.9`, `30 CNAME
    /// other.org.`.
    /// Records of other types than the one that is asked for are left out.
    Answer(Vec<String>),
}

impl DnsFault {
    fn new(effect: DnsEffect) -> Self {
        Self {
            effect,
            name: None,
            kind: None,
        }
    }

    /// Makes answers late. Several delays add up.
    pub fn delay(by: Duration) -> Self {
        Self::new(DnsEffect::Delay(by))
    }

    /// Lets the server say that it has failed.
    pub fn servfail() -> Self {
        Self::new(DnsEffect::Servfail)
    }

    /// Lets the server say that there is no such name.
    pub fn nxdomain() -> Self {
        Self::new(DnsEffect::Nxdomain)
    }

    /// Lets the server say by UDP that the answer is too long for UDP.
    pub fn truncate() -> Self {
        Self::new(DnsEffect::Truncate)
    }

    /// Lets the server say nothing.
    pub fn silence() -> Self {
        Self::new(DnsEffect::Silence)
    }

    /// Lets the server give other records, as lines without a name: `A 192.0.2.9`.
    pub fn answer<L: Into<String>>(lines: impl IntoIterator<Item = L>) -> Self {
        Self::new(DnsEffect::Answer(
            lines.into_iter().map(Into::into).collect(),
        ))
    }

    /// Confines the fault to one name, or with `*.` in front to all names below the rest; `*` alone
    /// stands for all names.
    ///
    /// `bob` and `bob.lab` are one name: a program that looks `bob` up asks for `bob.lab` first,
    /// where `resolv.conf` has `search lab`. With a dot at its end the name is taken as it is.
    pub fn of_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Confines the fault to questions for one type of record.
    pub fn of_kind(mut self, kind: RecordKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Reads the name and the records.
    ///
    /// # Errors
    /// The name or a record is invalid.
    pub fn parse(&self) -> Result<ParsedFault, DnsFaultError> {
        let Self { effect, name, kind } = self;
        let exact = name.as_deref().is_some_and(|text| text.ends_with('.'));
        let name = name.as_deref().map(|text| {
            DomainName::absolute(text).map_err(|source| DnsFaultError::Name {
                name: text.to_owned(),
                source,
            })
        });
        let effect = match effect {
            DnsEffect::Delay(by) => ParsedEffect::Delay(*by),
            DnsEffect::Servfail => ParsedEffect::Servfail,
            DnsEffect::Nxdomain => ParsedEffect::Nxdomain,
            DnsEffect::Truncate => ParsedEffect::Truncate,
            DnsEffect::Silence => ParsedEffect::Silence,
            DnsEffect::Answer(lines) => {
                let read = |line: &String| {
                    Record::parse_data(line).map_err(|source| DnsFaultError::Record {
                        line: line.clone(),
                        source,
                    })
                };
                ParsedEffect::Answer(lines.iter().map(read).collect::<Result<_, _>>()?)
            }
        };
        Ok(ParsedFault {
            effect,
            name: name.transpose()?,
            exact,
            kind: *kind,
        })
    }
}

impl fmt::Display for DnsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.effect {
            DnsEffect::Delay(by) => write!(f, "delay of {by:?}")?,
            DnsEffect::Servfail => f.write_str("SERVFAIL")?,
            DnsEffect::Nxdomain => f.write_str("NXDOMAIN")?,
            DnsEffect::Truncate => f.write_str("truncation")?,
            DnsEffect::Silence => f.write_str("silence")?,
            DnsEffect::Answer(lines) => write!(f, "answer `{}`", lines.join("`, `"))?,
        }
        if let Some(name) = &self.name {
            write!(f, " for `{name}`")?;
        }
        match self.kind {
            Some(kind) => write!(f, ", type {kind}"),
            None => Ok(()),
        }
    }
}

/// A fault whose name and records were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedFault {
    effect: ParsedEffect,
    name: Option<DomainName>,
    /// Whether the fault is about the name as it is alone, and not about its other form.
    exact: bool,
    kind: Option<RecordKind>,
}

/// An effect whose records were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ParsedEffect {
    Delay(Duration),
    Servfail,
    Nxdomain,
    Truncate,
    Silence,
    Answer(Vec<(Option<u32>, RecordData)>),
}

impl ParsedFault {
    pub(crate) fn effect(&self) -> &ParsedEffect {
        &self.effect
    }

    /// Returns whether the fault is about such a question. `other` is the other form of a name of
    /// the lab.
    pub(crate) fn is_about(
        &self,
        name: &DomainName,
        other: Option<&OtherForm>,
        kind: RecordKind,
    ) -> bool {
        let other = other.filter(|_| !self.exact);
        let named = self.name.as_ref().is_none_or(|own| match own.as_str() {
            // `*.`, with a dot at its end, is the wildcard below the root, and does not match the
            // root itself (RFC 4592, section 2.2.2).
            "*" => !self.exact || *name != DomainName::ROOT,
            wild if wild.starts_with("*.") => {
                // `com` is no name of the lab, and only names of the lab have two forms.
                let other = other.filter(|it| it.is_of_node);
                is_below(wild, name) || other.is_some_and(|it| is_below(wild, &it.name))
            }
            _ => own == name || other.is_some_and(|it| *own == it.name),
        });
        named && self.kind.is_none_or(|own| own == kind)
    }
}

/// Returns whether a name is one of those that a wildcard stands for.
fn is_below(wildcard: &str, name: &DomainName) -> bool {
    let rest = wildcard.strip_prefix('*');
    rest.is_some_and(|rest| name.as_str().ends_with(rest) && name.as_str() != rest)
}
