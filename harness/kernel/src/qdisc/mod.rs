//! Queueing disciplines: delay, loss and rates that the kernel gives to what an interface sends.
//!
//! The kernel's netem does in its own code what a program could do only by reading and writing
//! every packet. The options are numbers of several units, and some kernels lack some options, so
//! what was set is read back and compared.
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
