//! What can be wrong with an impairment: data, and for each kind of data the one place that makes
//! sentences of it.
//!
//! | file | role |
//! |---|---|
//! | `kind` | kinds of problems, as callers tell them apart |
//! | `text` | texts that do not say a value |
//! | `value` | values that are out of their range, or contradict each other |
//! | `trace` | traces that cannot be followed |

mod kind;
mod text;
mod trace;
mod value;

pub use kind::ImpairmentErrorKind;
pub(crate) use text::{Notation, TextProblem};
pub(crate) use trace::TraceProblem;
pub(crate) use value::ValueProblem;
