//! Bad links as values, and the channel that treats packets as such a link does.
//!
//! Real links are slow, lose packets, repeat them, let them overtake each other and spoil their
//! bits. An [`Impairment`] says how much of that a link does in one direction. A
//! [`channel::Channel`] decides by it about each frame, without a clock and without packets of its
//! own.
//!
//! The guide to these values is in `snowglobe::impair`.
//!
//! | file | role |
//! |---|---|
//! | `impairment` | the value |
//! | `percent`, `rate`, `jitter`, `quantiles`, `loss`, `queue`, `reorder` | its parts |
//! | `trace/` | rates and losses that were recorded on a real link |
//! | `validate` | values that are refused |
//! | `combine` | two impairments that add up |
//! | `preset` | impairments with a name |
//! | `channel/` | the fate of each frame in one direction |
//! | `limits` | limits of values that more than one file has to know |
//! | `counters` | how many frames passed, and why others did not |
//! | `text`, `error`, `problem` | values with their units as text, and the problems of values |

pub mod channel;
mod combine;
pub mod counters;
pub mod error;
pub mod impairment;
pub mod jitter;
mod limits;
pub mod loss;
pub mod percent;
pub mod preset;
mod problem;
pub mod quantiles;
pub mod queue;
pub mod rate;
pub mod reorder;
#[cfg(test)]
mod tests;
pub mod text;
pub mod trace;
mod validate;

pub use crate::direction::Direction;
pub use counters::{Cause, Counters, Lost, Traffic};
pub use error::ImpairmentError;
pub use impairment::Impairment;
pub use jitter::{Jitter, JitterTable};
pub use loss::GilbertElliott;
pub use percent::Percent;
pub use preset::Asymmetric;
pub use problem::ImpairmentErrorKind;
pub use queue::QueueLimit;
pub use rate::Rate;
pub use reorder::Reorder;
pub use trace::{Row, Trace};
