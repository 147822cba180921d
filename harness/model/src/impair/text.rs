//! Values with units, as people write them: `25ms`, `5%`, `10 Mbit/s`, `64 KiB`.
//!
//! In TOML all of them are strings, since a bare number says nothing of its unit.

use std::path::Path;
use std::time::Duration;

use snowglobe_text::{FromTree, Tree, TreeContent, TreeError};

use super::error::ImpairmentError;
use super::problem::{Notation, TextProblem};
use crate::files;

/// Returns a number and the unit that follows it.
pub(crate) fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

/// Reads a time with its unit. A bare number is refused, since it has no unit.
pub(crate) fn duration(text: &str) -> Result<Duration, ImpairmentError> {
    let trimmed = text.trim();
    let has_unit = trimmed.ends_with(char::is_alphabetic);
    match crate::duration::parse(trimmed) {
        Some(time) if has_unit && time.as_nanos() < u64::MAX.into() => Ok(time),
        _ if is_negative(trimmed) => Err(TextProblem::NegativeTime(text.to_owned()).into()),
        _ => Err(TextProblem::NotA(Notation::Time, text.to_owned()).into()),
    }
}

/// Returns whether a text is a time with a sign before it.
fn is_negative(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|time| crate::duration::parse(time).is_some())
}

/// Returns the shortest exact way to write a time.
pub fn show_duration(time: Duration) -> String {
    let nanoseconds = time.as_nanos();
    let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")];
    let whole = units
        .iter()
        .find(|(size, _)| nanoseconds.is_multiple_of(*size));
    let (size, unit) = whole.unwrap_or(&(1, "ns"));
    format!("{}{unit}", nanoseconds / size)
}

/// Reads a number of bytes with its unit.
pub(crate) fn bytes(text: &str) -> Result<u64, ImpairmentError> {
    let wrong = || ImpairmentError::from(TextProblem::NotA(Notation::Size, text.to_owned()));
    let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let size = match unit {
        "B" | "bytes" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number * size;
    if bytes.fract() == 0.0 && (0.0..1e15).contains(&bytes) {
        Ok(bytes as u64)
    } else {
        Err(wrong())
    }
}

/// The text form of a `Duration`: `delay = "25ms"`.
pub(crate) mod serde_duration {
    use super::*;

    pub(crate) fn write(time: &Duration) -> String {
        show_duration(*time)
    }

    pub(crate) fn read(tree: &Tree) -> Result<Duration, TreeError> {
        read_text(tree, "a time with its unit, like `25ms`", duration)
    }
}

/// The text form of an optional `Duration`.
pub(crate) mod serde_optional_duration {
    use super::*;

    pub(crate) fn write(time: &Option<Duration>) -> Option<String> {
        time.map(show_duration)
    }

    pub(crate) fn read(tree: &Tree) -> Result<Option<Duration>, TreeError> {
        serde_duration::read(tree).map(Some)
    }
}

/// The text form of an optional number of bytes: `burst = "15 kB"`.
pub(crate) mod serde_optional_bytes {
    use super::*;

    pub(crate) fn write(size: &Option<u32>) -> Option<String> {
        size.map(|size| format!("{size} B"))
    }

    pub(crate) fn read(tree: &Tree) -> Result<Option<u32>, TreeError> {
        let read = |text: &str| {
            bytes(text)?
                .try_into()
                .map_err(|_| TextProblem::SizeAbove4GiB(text.to_owned()).into())
        };
        read_text(tree, "a size with its unit, like `15 kB`", read).map(Some)
    }
}

/// Reads a string that `read` understands.
pub(crate) fn read_text<T>(
    tree: &Tree,
    expected: &str,
    read: fn(&str) -> Result<T, ImpairmentError>,
) -> Result<T, TreeError> {
    read(tree.text(expected)?).map_err(|why| tree.error(&why))
}

/// Reads a string that `read` understands, or a table: the short form of a value, and the long one.
pub(crate) fn text_or_table<T, Table>(
    tree: &Tree,
    expected: &str,
    read: fn(&str) -> Result<T, ImpairmentError>,
) -> Result<T, TreeError>
where
    T: TryFrom<Table, Error = ImpairmentError>,
    Table: FromTree,
{
    if !matches!(tree.content, TreeContent::Table(_)) {
        return read_text(tree, expected, read);
    }
    let table = Table::from_tree(tree)?;
    T::try_from(table).map_err(|why| tree.error(&why))
}

/// The text form of a type by `Display` and `FromStr`: `loss = "5 %"`.
macro_rules! serde_text {
    ($type:ty, $expected:literal) => {
        impl serde_core::Serialize for $type {
            fn serialize<S: serde_core::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl snowglobe_text::FromTree for $type {
            fn from_tree(tree: &snowglobe_text::Tree) -> Result<Self, snowglobe_text::TreeError> {
                $crate::impair::text::read_text(tree, $expected, str::parse)
            }
        }

        snowglobe_text::deserialize_by_tree!($type);
    };
}
pub(crate) use serde_text;

/// Returns the text of a file. The caller adds the name of the file to the error.
pub(crate) fn read_file(path: &Path, what: &'static str) -> Result<String, ImpairmentError> {
    files::read(path).map_err(|error| ImpairmentError::unreadable(what, error))
}
