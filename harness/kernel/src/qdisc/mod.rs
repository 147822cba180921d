//! Queueing disciplines: what an interface does with what it shall send.
//!
//! | file | role |
//! |---|---|
//! | `discipline` | disciplines, set and read back, with their counters |
//! | `options` | the options of netem and of the token bucket filter |

mod discipline;
mod options;
#[cfg(test)]
mod tests;

pub use discipline::{Qdisc, QdiscEntry, QdiscPosition, QdiscStatistics};
pub use options::{NetemLossModel, NetemOptions, TbfOptions};
