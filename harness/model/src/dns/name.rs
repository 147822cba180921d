//! Domain names: labels, compared without regard to case.

use std::fmt;

use crate::dns::error::NameError;

/// The most bytes of a label, and of a name as text (RFC 1035, section 2.3.4).
pub(super) const LABEL: usize = 63;
pub(super) const NAME: usize = 253;

/// A domain name, in small letters and without the dot at its end. The root is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct DomainName(String);

impl DomainName {
    /// The root of all names.
    pub const ROOT: Self = Self(String::new());

    /// Reads a name. A name without a dot at its end is within `origin`; `@` is `origin` itself.
    ///
    /// # Errors
    /// The text is no name.
    pub fn within(text: &str, origin: &Self) -> Result<Self, NameError> {
        let name = match text.strip_suffix('.') {
            Some("") => return Ok(Self::ROOT),
            Some(absolute) => absolute.to_owned(),
            None if text == "@" => return Ok(origin.clone()),
            None if origin.0.is_empty() => text.to_owned(),
            None => format!("{text}.{origin}", origin = origin.0),
        };
        match wrong(&name) {
            Some(wrong) => Err(wrong),
            None => Ok(Self(name.to_ascii_lowercase())),
        }
    }

    /// Reads a name that is whole, with or without a dot at its end.
    ///
    /// # Errors
    /// As for [`within`](Self::within).
    pub fn absolute(text: &str) -> Result<Self, NameError> {
        Self::within(text, &Self::ROOT)
    }

    /// Takes a name over that a message had, whatever its labels are.
    pub(crate) fn as_asked(text: &str) -> Self {
        Self(text.to_ascii_lowercase())
    }

    /// Returns the name without a dot at its end; the root is empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name one label up; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        let rest = self.0.split_once('.').map_or("", |(_, rest)| rest);
        Some(Self(rest.to_owned()))
    }

    /// Returns the name and all names above it, up to the root.
    pub(crate) fn and_above(&self) -> impl Iterator<Item = Self> + use<> {
        std::iter::successors(Some(self.clone()), Self::parent)
    }

    /// Returns the wildcard below the name (RFC 4592).
    pub(crate) fn wildcard(&self) -> Self {
        match self.0.as_str() {
            "" => Self("*".to_owned()),
            name => Self(format!("*.{name}")),
        }
    }

    /// Returns whether the name is `zone`, or below it.
    pub fn is_in(&self, zone: &Self) -> bool {
        let below = self.0.strip_suffix(zone.as_str());
        zone.0.is_empty() || below.is_some_and(|it| it.is_empty() || it.ends_with('.'))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

/// Returns what is wrong with a name.
fn wrong(name: &str) -> Option<NameError> {
    if name.len() > NAME {
        return Some(NameError::TooLong(name.len()));
    }
    name.split('.').enumerate().find_map(|(number, label)| {
        let odd = |c: &char| !(c.is_ascii_alphanumeric() || "-_/".contains(*c));
        match (label, number) {
            ("", _) => Some(NameError::EmptyLabel),
            ("*", 0) => None,
            ("*", _) => Some(NameError::MisplacedWildcard),
            _ if label.len() > LABEL => Some(NameError::LongLabel(label.len())),
            _ => label.chars().find(odd).map(NameError::Character),
        }
    })
}
