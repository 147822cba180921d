//! Errors of a command line.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;

/// Mistake in a command line or in an environment variable.
#[derive(Debug)]
pub enum CliError {
    /// The command has no option of this name, which includes its dashes.
    UnknownOption(String),
    /// The command takes no words without an option, or no more of them.
    UnexpectedOperand(OsString),
    /// An option without a value was given one, or an option with a value was given none.
    Syntax(lexopt::Error),
    /// A value is not UTF-8.
    NotUtf8 {
        /// Option or variable that was given the value, as in `--seed`.
        origin: String,
        /// Value as it was given.
        value: OsString,
    },
    /// A value is none that the option can take.
    Value {
        /// Option or variable that was given the value, as in `--seed`.
        origin: String,
        /// Value as it was given.
        value: String,
        /// Clause that says what is wrong, or what to give instead.
        problem: String,
    },
    /// Options that are right one by one do not go together; the sentence says which.
    Contradiction(&'static str),
    /// Another mistake, as a sentence.
    Other(String),
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOption(name) => write!(f, "there is no option `{name}`"),
            Self::UnexpectedOperand(word) => {
                write!(f, "unexpected argument `{}`", word.to_string_lossy())
            }
            Self::Syntax(error) => error.fmt(f),
            Self::NotUtf8 { origin, value } => write!(f, "{origin} is {value:?}: not UTF-8"),
            Self::Value {
                origin,
                value,
                problem,
            } => write!(f, "{origin} is `{value}`: {problem}"),
            Self::Contradiction(sentence) => f.write_str(sentence),
            Self::Other(sentence) => f.write_str(sentence),
        }
    }
}

impl Error for CliError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Syntax(error) => error.source(),
            Self::UnknownOption(_)
            | Self::UnexpectedOperand(_)
            | Self::NotUtf8 { .. }
            | Self::Value { .. }
            | Self::Contradiction(_)
            | Self::Other(_) => None,
        }
    }
}

impl From<lexopt::Error> for CliError {
    fn from(error: lexopt::Error) -> Self {
        Self::Syntax(error)
    }
}
