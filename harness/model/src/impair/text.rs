//! Values with units, as people write them: `25ms`, `5%`, `10 Mbit/s`, `64 KiB`.
//!
//! In TOML all of them are strings, since a bare number says nothing of its unit.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

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

/// Serde for a `Duration`: `delay = "25ms"`.
pub(crate) mod serde_duration {
    use super::*;

    pub(crate) fn serialize<S: serde::Serializer>(
        time: &Duration,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(&show_duration(*time))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        from.deserialize_str(TextVisitor::new(
            "a time with its unit, like `25ms`",
            duration,
        ))
    }
}

/// Serde for an optional `Duration`.
pub(crate) mod serde_optional_duration {
    use super::*;

    pub(crate) fn serialize<S: serde::Serializer>(
        time: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serde_duration::serialize(time, to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        serde_duration::deserialize(from).map(Some)
    }
}

/// Serde for an optional number of bytes: `burst = "15 kB"`.
pub(crate) mod serde_optional_bytes {
    use super::*;

    pub(crate) fn serialize<S: serde::Serializer>(
        size: &Option<u32>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match size {
            Some(size) => to.collect_str(&format_args!("{size} B")),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
        let read = |text: &str| {
            bytes(text)?
                .try_into()
                .map_err(|_| TextProblem::SizeAbove4GiB(text.to_owned()).into())
        };
        from.deserialize_str(TextVisitor::new("a size with its unit, like `15 kB`", read))
            .map(Some)
    }
}

/// A visitor of serde for a string that `read` understands.
pub(crate) struct TextVisitor<T, F> {
    expected: &'static str,
    read: F,
    made: PhantomData<T>,
}

impl<T, F: Fn(&str) -> Result<T, ImpairmentError>> TextVisitor<T, F> {
    pub(crate) fn new(expected: &'static str, read: F) -> Self {
        TextVisitor {
            expected,
            read,
            made: PhantomData,
        }
    }
}

impl<T, F: Fn(&str) -> Result<T, ImpairmentError>> Visitor<'_> for TextVisitor<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}

/// Reads a string that `read` understands, or a table: the short form of a value, and the long one.
pub(crate) fn text_or_table<'de, T, Table, D>(
    expected: &'static str,
    read: ReadText<T>,
    from: D,
) -> Result<T, D::Error>
where
    T: TryFrom<Table, Error = ImpairmentError>,
    Table: Deserialize<'de>,
    D: Deserializer<'de>,
{
    from.deserialize_any(TextOrTableVisitor {
        text: TextVisitor::new(expected, read),
        table: PhantomData::<Table>,
    })
}

type ReadText<T> = fn(&str) -> Result<T, ImpairmentError>;

struct TextOrTableVisitor<T, Table> {
    text: TextVisitor<T, ReadText<T>>,
    table: PhantomData<Table>,
}

impl<'de, T, Table> Visitor<'de> for TextOrTableVisitor<T, Table>
where
    T: TryFrom<Table, Error = ImpairmentError>,
    Table: Deserialize<'de>,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.expecting(f)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        self.text.visit_str(text)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        T::try_from(table).map_err(serde::de::Error::custom)
    }
}

/// Serde by `Display` and `FromStr`: `loss = "5 %"`.
macro_rules! serde_text {
    ($type:ty, $expected:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_str($crate::impair::text::TextVisitor::new(
                    $expected,
                    str::parse,
                ))
            }
        }
    };
}
pub(crate) use serde_text;

/// Returns the text of a file. The caller adds the name of the file to the error.
pub(crate) fn read_file(path: &Path, what: &'static str) -> Result<String, ImpairmentError> {
    files::read(path).map_err(|error| ImpairmentError::unreadable(what, error))
}
