//! How an operation came to its end, as far as the client that called it can know.

use std::fmt;

/// The completion of an operation.
///
/// A client that gets no answer does not know whether its operation has happened: the request may
/// be lost, the answer may be lost, and the request may even arrive later. A check must not guess,
/// so such an operation is [unknown](Completion::Unknown). Only an answer that rules the operation
/// out makes it [failed](Completion::Failed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion<R> {
    /// The operation has happened between its invocation and its completion, and returned this.
    Ok(R),
    /// The operation has not happened and never will, for this reason.
    Failed(String),
    /// The operation may have happened, or may happen at any later time.
    Unknown(String),
}

impl<R> Completion<R> {
    /// Returns the value that the operation returned, if it is known to have happened.
    pub fn ok(&self) -> Option<&R> {
        match self {
            Self::Ok(value) => Some(value),
            Self::Failed(_) | Self::Unknown(_) => None,
        }
    }

    /// Returns whether the operation is known to have happened.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok(_))
    }

    /// Returns whether the operation is known not to have happened.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Returns whether nobody knows if the operation has happened.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Turns the value that the operation returned into another one.
    pub fn map<S>(self, change: impl FnOnce(R) -> S) -> Completion<S> {
        match self {
            Self::Ok(value) => Completion::Ok(change(value)),
            Self::Failed(why) => Completion::Failed(why),
            Self::Unknown(why) => Completion::Unknown(why),
        }
    }
}

/// Takes an error for an unknown outcome: a broken connection does not say what the server did.
impl<R, E: fmt::Display> From<Result<R, E>> for Completion<R> {
    fn from(result: Result<R, E>) -> Self {
        match result {
            Ok(value) => Self::Ok(value),
            Err(error) => Self::Unknown(error.to_string()),
        }
    }
}
