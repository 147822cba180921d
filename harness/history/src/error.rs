//! Why a history cannot be one.

use std::fmt;
use std::time::Duration;

use crate::operation::OperationId;

/// Kinds of mistakes in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryErrorKind {
    /// An operation is completed that was never invoked.
    NotInvoked {
        /// Number of the operation.
        id: OperationId,
    },
    /// Two operations have the same number.
    InvokedTwice {
        /// Number of the operations.
        id: OperationId,
    },
    /// An operation is completed for the second time.
    CompletedTwice {
        /// Number of the operation.
        id: OperationId,
    },
    /// An operation ends before it begins.
    BackInTime {
        /// Number of the operation.
        id: OperationId,
        /// Time of the invocation.
        invoked: Duration,
        /// Time of the completion.
        at: Duration,
    },
    /// A line is no event of a history.
    NotAnEvent {
        /// The parser's reason, with the column.
        why: String,
    },
    /// A text has no event at all.
    NoEvents,
}

/// A mistake in a history, with the place where the mistake was read.
#[derive(Clone, PartialEq, Eq)]
pub struct HistoryError {
    kind: HistoryErrorKind,
    place: Option<(String, usize)>,
}

impl HistoryError {
    pub(crate) fn new(kind: HistoryErrorKind) -> Self {
        Self { kind, place: None }
    }

    pub(crate) fn at(kind: HistoryErrorKind, file: &str, line: usize) -> Self {
        Self {
            kind,
            place: Some((file.to_owned(), line)),
        }
    }

    /// Returns the kind of the mistake.
    pub fn kind(&self) -> &HistoryErrorKind {
        &self.kind
    }

    /// Returns the number of the line, from 1, if the history was read from text.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|(_, line)| *line)
    }
}

impl fmt::Display for HistoryErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInvoked { id } => write!(
                f,
                "{id} is completed, and was not invoked before; put its `invoke` in front, or \
                 leave the completion out"
            ),
            Self::InvokedTwice { id } => write!(
                f,
                "{id} is invoked for the second time; give each operation a number of its own"
            ),
            Self::CompletedTwice { id } => write!(
                f,
                "{id} is completed for the second time; an operation has one completion at most"
            ),
            Self::BackInTime { id, invoked, at } => write!(
                f,
                "{id} is completed at {at:?}, before its invocation at {invoked:?}; use one \
                 monotonic clock for both"
            ),
            Self::NotAnEvent { why } => write!(
                f,
                "the line is no event: {why}; an event is one of `invoke`, `ok`, `failed` and \
                 `unknown`, as JSON"
            ),
            Self::NoEvents => f.write_str(
                "there is no event: a check of no operations would find nothing wrong; record \
                 some, or build an empty history by `History::builder`",
            ),
        }
    }
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.place {
            write!(f, "{file}:{line}: ")?;
        }
        fmt::Display::fmt(&self.kind, f)
    }
}

/// The same as `Display`: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for HistoryError {}
