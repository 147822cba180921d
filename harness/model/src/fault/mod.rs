//! Faults as values: what is done to a lab, to which link or node, and how much, and when.
//!
//! A fault that is a method call can be made, but it cannot be printed, kept in a file, drawn from
//! a seed or left out to see whether a test still fails. So each fault is a value first. A lab
//! carries it out (`Lab::inject`), and the guard that it returns heals what the fault did. A
//! [`Schedule`] says when which fault begins and ends. A [`Nemesis`] draws schedules from seeds.
//!
//! | file | role |
//! |---|---|
//! | `fault` | the faults |
//! | `make` | functions that make faults |
//! | `refs` | how a fault names nodes and links, now or by a role that is looked up later |
//! | `named` | names in the places of ids |
//! | `parts` | the nodes and links that a fault is about |
//! | `sentence` | faults as text for people |
//! | `schedule`, `schedule_text` | faults with their times, and the same as TOML |
//! | `check` | whether a lab can carry a schedule out |
//! | `idle` | faults that would change nothing |
//! | `error`, `lack` | what can be wrong with a schedule, and what a lab can lack |
//! | `nemesis/` | schedules drawn from a seed |

mod check;
mod error;
#[expect(clippy::module_inception, reason = "the file of the faults themselves")]
mod fault;
mod idle;
mod lack;
mod make;
mod named;
mod nemesis;
mod parts;
mod refs;
mod schedule;
#[cfg(feature = "toml")]
mod schedule_text;
mod sentence;
#[cfg(test)]
mod tests;

pub use check::Targets;
pub use error::{ScheduleError, ScheduleErrorKind};
pub use fault::Fault;
pub use idle::IdleFault;
pub use nemesis::{Nemesis, Split};
pub use parts::PartedNodes;
pub use refs::{ANY, LinkRef, NodeRef, means_link};
pub use schedule::{Schedule, ScheduledFault};
