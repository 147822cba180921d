//! Questions that each enum of reasons answers, besides its sentence.

use std::error::Error;
use std::fmt;

use crate::lab::error_kind::LabErrorKind;

/// Questions that each enum of this folder answers, besides its sentence.
///
/// The sentence goes on from the subject, as in "node `bob` has no name server".
pub(super) trait UnfitSubject: fmt::Display {
    /// Returns the kind of the error.
    fn kind(&self) -> LabErrorKind;

    /// Returns the error that is the reason, if there is one.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        None
    }
}
