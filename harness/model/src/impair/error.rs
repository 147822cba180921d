//! Why an impairment cannot be, with the place in a file where it is said.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::{ImpairmentErrorKind, TextProblem, TraceProblem, ValueProblem};

/// Why an impairment cannot be: which value, why, and what is possible. The error of a value from
/// a file also says where the value stands.
///
/// ```
/// use snowglobe_model::impair::{ImpairmentErrorKind, Rate, Trace};
///
/// let error = "10".parse::<Rate>().unwrap_err();
/// assert_eq!(error.kind(), ImpairmentErrorKind::Syntax);
/// let expected = "`10` is not a rate: give a number and its unit, \
///     as in `10 Mbit/s`, `256kbit` or `1gbit`";
/// assert_eq!(error.to_string(), expected);
///
/// let error = Trace::parse("0\n7\n3\n").unwrap_err();
/// assert_eq!((error.kind(), error.subject()), (ImpairmentErrorKind::OutOfRange, "trace"));
/// let expected = "line 3: 3 ms comes after 7 ms: the times of a trace must not decrease";
/// assert_eq!(error.to_string(), expected);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ImpairmentError {
    problem: Box<ImpairmentProblem>,
    file: Option<PathBuf>,
    line: Option<usize>,
}

/// A problem of a value, of its text, of a trace or of a file.
#[derive(Clone, Debug)]
enum ImpairmentProblem {
    Text(TextProblem),
    Value(ValueProblem),
    Trace(TraceProblem),
    /// Name of what was to be read, and why that failed.
    Unreadable(&'static str, Arc<io::Error>),
}

impl ImpairmentError {
    /// Makes the error of a file that cannot be read, which was to have a `what`.
    pub(crate) fn unreadable(what: &'static str, error: io::Error) -> Self {
        ImpairmentProblem::Unreadable(what, Arc::new(error)).into()
    }

    /// Adds the line of the text that is wrong, counted from 1.
    pub(crate) fn at_line(self, line: usize) -> Self {
        Self {
            line: Some(line),
            ..self
        }
    }

    /// Adds the file that the text is from.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        Self {
            file: Some(path.to_owned()),
            ..self
        }
    }

    /// Returns the kind of problem.
    pub fn kind(&self) -> ImpairmentErrorKind {
        match &*self.problem {
            ImpairmentProblem::Text(problem) => problem.kind(),
            ImpairmentProblem::Value(problem) => problem.kind(),
            ImpairmentProblem::Trace(problem) => problem.kind(),
            ImpairmentProblem::Unreadable(..) => ImpairmentErrorKind::Unreadable,
        }
    }

    /// Returns the name of the value that the error is about, such as `loss`, `rate` or `trace`.
    pub fn subject(&self) -> &'static str {
        match &*self.problem {
            ImpairmentProblem::Text(problem) => problem.subject(),
            ImpairmentProblem::Value(problem) => problem.subject(),
            ImpairmentProblem::Trace(_) => "trace",
            ImpairmentProblem::Unreadable(what, _) => what,
        }
    }

    /// Returns the file that the value is from, if it is from one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the line that is wrong, counted from 1, of what was read as text.
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

/// Two errors of reading are equal if the system's numbers and kinds of error are.
impl PartialEq for ImpairmentProblem {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Value(one), Self::Value(other)) => one == other,
            (Self::Trace(one), Self::Trace(other)) => one == other,
            (Self::Unreadable(what, error), Self::Unreadable(other_what, other_error)) => {
                let number = |error: &io::Error| (error.kind(), error.raw_os_error());
                what == other_what && number(error) == number(other_error)
            }
            (Self::Text(_) | Self::Value(_) | Self::Trace(_) | Self::Unreadable(..), _) => false,
        }
    }
}

impl Eq for ImpairmentProblem {}

impl From<ImpairmentProblem> for ImpairmentError {
    fn from(problem: ImpairmentProblem) -> Self {
        Self {
            problem: Box::new(problem),
            file: None,
            line: None,
        }
    }
}

impl From<TextProblem> for ImpairmentError {
    fn from(problem: TextProblem) -> Self {
        ImpairmentProblem::Text(problem).into()
    }
}

impl From<ValueProblem> for ImpairmentError {
    fn from(problem: ValueProblem) -> Self {
        ImpairmentProblem::Value(problem).into()
    }
}

impl From<TraceProblem> for ImpairmentError {
    fn from(problem: TraceProblem) -> Self {
        ImpairmentProblem::Trace(problem).into()
    }
}

impl fmt::Display for ImpairmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            problem,
            file,
            line,
        } = self;
        match (file.as_ref().map(|file| file.display()), line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        match &**problem {
            ImpairmentProblem::Text(problem) => problem.fmt(f),
            ImpairmentProblem::Value(problem) => problem.fmt(f),
            ImpairmentProblem::Trace(problem) => problem.fmt(f),
            ImpairmentProblem::Unreadable(what, error) => {
                write!(f, "failed to read the {what}: {error}")
            }
        }
    }
}

/// As the error is displayed: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for ImpairmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ImpairmentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.problem {
            ImpairmentProblem::Unreadable(_, error) => Some(&**error),
            ImpairmentProblem::Text(_)
            | ImpairmentProblem::Value(_)
            | ImpairmentProblem::Trace(_) => None,
        }
    }
}
