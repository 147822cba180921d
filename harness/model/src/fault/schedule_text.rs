//! Schedules as TOML, with the place of each error.
//!
//! Serde looks at the kind of a fault before its fields, and forgets by then where in the text they
//! stand. So each fault is read by itself, with an error that keeps the name of the field.

use std::fmt;
use std::path::Path;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, Visitor};
use serde::{Serialize, forward_to_deserialize_any};
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::check::{ScheduleError, ScheduleErrorKind as Kind};
use super::schedule::{Schedule, ScheduledFault};
use crate::position::position;

/// The name of the list in the text.
const LIST: &str = "fault";

impl Schedule {
    /// Reads a schedule from TOML: a table `[[fault]]` for each fault, with `at`, `waits`, `lasts`,
    /// the name of the `fault` and its fields.
    ///
    /// # Errors
    /// The text is no TOML, or no schedule. The error names line and column.
    pub fn from_toml(text: &str) -> Result<Self, ScheduleError> {
        let wrong = |error: toml::de::Error| {
            let byte = error.span().map_or(0, |span| span.start);
            ScheduleError::new(Kind::Syntax, error.message()).at(position(text, byte))
        };
        let spanned = DeTable::parse(text).map_err(wrong)?;
        let plain: Table = toml::from_str(text).map_err(wrong)?;
        let at = |byte: usize, why: String| {
            ScheduleError::new(Kind::Syntax, why).at(position(text, byte))
        };
        if let Some((key, _)) = spanned
            .get_ref()
            .iter()
            .find(|(key, _)| key.get_ref() != LIST)
        {
            let why = format!("unknown field `{}`, expected `{LIST}`", key.get_ref());
            return Err(at(key.span().start, why));
        }
        let (Some(list), Some(values)) = (spanned.get_ref().get(LIST), plain.get(LIST)) else {
            return Ok(Self::new());
        };
        let (Some(entries), Some(values)) = (list.get_ref().as_array(), values.as_array()) else {
            let why = format!("`{LIST}` is no list of tables; each begins with `[[{LIST}]]`");
            return Err(at(list.span().start, why));
        };
        let mut schedule = Self::new();
        let mut places = Vec::new();
        for (entry, value) in entries.iter().zip(values) {
            let read =
                read(value).map_err(|error| at(byte_of(&error, value, entry), error.text))?;
            schedule.push(read);
            places.push(position(text, entry.span().start));
        }
        schedule.places = places;
        Ok(schedule)
    }

    /// Reads a schedule from a TOML file.
    ///
    /// # Errors
    /// The file cannot be read, or its text is wrong. The error names file, line and column.
    pub fn from_toml_file(path: impl AsRef<Path>) -> Result<Self, ScheduleError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let text = crate::files::read(path).map_err(|error| {
            let text = format!("failed to read the schedule: {error}");
            ScheduleError::new(Kind::Unreadable, text).in_file(&file)
        })?;
        let mut schedule = Self::from_toml(&text).map_err(|error| error.in_file(&file))?;
        schedule.file = Some(file);
        Ok(schedule)
    }

    /// Writes the schedule as TOML, from which [`from_toml`](Schedule::from_toml) makes an equal
    /// one.
    ///
    /// # Errors
    /// A path is not UTF-8, or a number is larger than TOML can write.
    pub fn to_toml(&self) -> Result<String, ScheduleError> {
        #[derive(Serialize)]
        struct ScheduleDocument<'s> {
            fault: &'s [ScheduledFault],
        }
        let document = ScheduleDocument {
            fault: self.faults(),
        };
        toml::to_string(&document).map_err(|error| {
            let text = format!("failed to write the schedule as TOML: {error}");
            ScheduleError::new(Kind::Impossible, text)
        })
    }
}

fn read(value: &Value) -> Result<ScheduledFault, FieldError> {
    ScheduledFault::deserialize(PlainValue(value))
}

/// Returns the byte of the field that is to blame for an error, or of the fault as a whole.
fn byte_of(error: &FieldError, value: &Value, entry: &Spanned<DeValue<'_>>) -> usize {
    let whole = entry.span().start;
    let (Some(table), Some(spans)) = (value.as_table(), entry.get_ref().as_table()) else {
        return whole;
    };
    let field = match &error.about {
        About::Field(name) => Some(name.clone()),
        About::Missing => None,
        About::Value => wrong_value(error, table),
    };
    let span = |name: String| {
        let (key, value) = spans.iter().find(|(key, _)| *key.get_ref() == name)?;
        Some(match error.about {
            About::Value => value.span().start,
            About::Field(_) | About::Missing => key.span().start,
        })
    };
    field.and_then(span).unwrap_or(whole)
}

/// Returns the field without which there is another error, or none.
fn wrong_value(error: &FieldError, table: &Table) -> Option<String> {
    // Without these every other field is wrong too, so that they are tried last.
    let mut names: Vec<&String> = table.keys().collect();
    let last = ["fault", "at", "waits", "lasts"];
    names.sort_by_key(|name| {
        last.iter()
            .position(|it| it == name)
            .map_or(0, |place| place + 1)
    });
    let to_blame = |name: &&&String| {
        let mut without = table.clone();
        without.remove(name.as_str());
        read(&Value::Table(without)).err().as_ref() != Some(error)
    };
    names.iter().find(to_blame).map(|name| (*name).clone())
}

/// An error of serde that keeps the field that it is about.
#[derive(Debug, PartialEq)]
struct FieldError {
    about: About,
    text: String,
}

#[derive(Debug, PartialEq)]
enum About {
    /// A field that should not be there.
    Field(String),
    /// A field that is not there.
    Missing,
    /// A value, whose field is not known.
    Value,
}

impl Error for FieldError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self {
            about: About::Value,
            text: text.to_string(),
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let expected: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
        let expected = match expected.is_empty() {
            true => "no field".to_owned(),
            false => expected.join(", "),
        };
        Self {
            about: About::Field(field.to_owned()),
            text: format!("unknown field `{field}`, expected {expected}"),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            about: About::Missing,
            text: format!("missing field `{field}`"),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for FieldError {}

/// A value from which serde reads.
#[derive(Clone, Copy)]
struct PlainValue<'v>(&'v Value);

impl<'de> IntoDeserializer<'de, FieldError> for PlainValue<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for PlainValue<'de> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0 {
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(is) => visitor.visit_bool(*is),
            Value::Datetime(time) => visitor.visit_string(time.to_string()),
            Value::Array(list) => {
                SeqDeserializer::new(list.iter().map(PlainValue)).deserialize_any(visitor)
            }
            Value::Table(table) => {
                let fields = table.iter().map(|(key, it)| (key.as_str(), PlainValue(it)));
                MapDeserializer::new(fields).deserialize_any(visitor)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
