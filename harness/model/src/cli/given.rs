//! A value from the command line or the environment.
//!
//! An error about a value must say where the value came from, be it an option, an environment
//! variable or a word without an option. So the value and its origin travel together.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use super::CliError;

/// A value, and the option, operand or environment variable that it was given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenValue {
    origin: String,
    value: OsString,
}

impl GivenValue {
    /// Makes the value that `origin`, as in `--seed` or `SNOWGLOBE_SEED`, was given.
    pub fn new(origin: impl Into<String>, value: impl Into<OsString>) -> Self {
        Self {
            origin: origin.into(),
            value: value.into(),
        }
    }

    /// Returns the option or variable that was given the value, as in `--seed`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the value as the system passed it.
    pub fn os_string(self) -> OsString {
        self.value
    }

    /// Returns the value as a path.
    pub fn path(self) -> PathBuf {
        self.value.into()
    }

    /// Returns the value as text.
    ///
    /// # Errors
    /// Fails if the value is not UTF-8.
    pub fn text(self) -> Result<String, CliError> {
        let Self { origin, value } = self;
        value
            .into_string()
            .map_err(|value| CliError::NotUtf8 { origin, value })
    }

    /// Converts the value with the type's own [`FromStr`].
    ///
    /// # Errors
    /// Fails if the value is not UTF-8, or with what the type says about it.
    pub fn parse<V>(self) -> Result<V, CliError>
    where
        V: FromStr,
        V::Err: Display,
    {
        self.parse_with(str::parse::<V>)
    }

    /// Converts the value with `convert`, which returns a clause such as "give 1 or more" if the
    /// value is none of its kind.
    ///
    /// # Errors
    /// Fails if the value is not UTF-8, or with the clause of `convert`.
    pub fn parse_with<V, E: Display>(
        self,
        convert: impl FnOnce(&str) -> Result<V, E>,
    ) -> Result<V, CliError> {
        let origin = self.origin.clone();
        let value = self.text()?;
        convert(&value).map_err(|problem| CliError::Value {
            origin,
            value,
            problem: problem.to_string(),
        })
    }

    /// Returns whether the value turns a switch on: `1` does, and `0` and no text do not.
    ///
    /// # Errors
    /// Fails if the value is not UTF-8 or another one.
    pub fn switch(self) -> Result<bool, CliError> {
        self.parse_with(|text| match text {
            "1" => Ok(true),
            "0" | "" => Ok(false),
            _ => Err("give 1 to turn it on, or 0".to_owned()),
        })
    }

    /// Finds the value in a table of names and meanings.
    ///
    /// # Errors
    /// Fails if the value is not UTF-8 or not in the table; the error lists the names.
    pub fn one_of<V: Clone>(self, table: &[(&str, V)]) -> Result<V, CliError> {
        self.parse_with(|text| match table.iter().find(|(name, _)| *name == text) {
            Some((_, meaning)) => Ok(meaning.clone()),
            None => Err(format!("give {}", alternatives(table))),
        })
    }
}

/// Returns the names of a table as a clause: "auto, always or never".
pub(super) fn alternatives<V>(table: &[(&str, V)]) -> String {
    let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
