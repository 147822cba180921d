//! Faults that could not be healed when their guard was dropped.

use crate::lab::error::Result;
use crate::trial::running;

/// Fails the trial if a fault could not be healed: a guard's drop cannot return an error.
pub(crate) fn complain(healed: Result<()>) {
    if let Err(error) = healed {
        running::complain(format!("a fault could not be healed: {error}"));
    }
}
