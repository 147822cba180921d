//! What is wrong with an impairment.

use std::fmt;
use std::path::Path;

/// Why an impairment cannot be: which value, why, and what is possible. For a value from a file, also where it stands.
///
/// ```
/// use snowglobe_model::impair::{Rate, Trace};
///
/// let error = "10".parse::<Rate>().unwrap_err();
/// assert_eq!(error.to_string(), "`10` is not a rate: give a number and its unit, as in `10 Mbit/s`, `256kbit` or `1gbit`");
///
/// let error = Trace::parse("0\n7\n3\n").unwrap_err();
/// assert_eq!(error.to_string(), "line 3: 3 ms comes after 7 ms: the times of a trace must not decrease");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ImpairmentError {
    file: Option<String>,
    line: Option<usize>,
    text: String,
}

impl ImpairmentError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        ImpairmentError {
            file: None,
            line: None,
            text: text.into(),
        }
    }

    /// With the line of the text that is wrong, counted from 1.
    pub(crate) fn at_line(self, line: usize) -> Self {
        ImpairmentError {
            line: Some(line),
            ..self
        }
    }

    /// With the file that the text is from.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        ImpairmentError {
            file: Some(path.display().to_string()),
            ..self
        }
    }

    /// The line that is wrong, counted from 1, of what was read as text.
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for ImpairmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: {}", self.text),
            (Some(file), None) => write!(f, "{file}: {}", self.text),
            (None, Some(line)) => write!(f, "line {line}: {}", self.text),
            (None, None) => f.write_str(&self.text),
        }
    }
}

/// As it is displayed: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for ImpairmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ImpairmentError {}
