//! Schedules of faults that are drawn from seeds.
//!
//! | file | role |
//! |---|---|
//! | `nemesis` | what is drawn from, how often, and for how long |
//! | `generate` | the schedule of a seed |
//! | `dice` | random choices |
//! | `split` | the ways to part a set of nodes |
//! | `values` | how much a drawn clock is off, or a disk slow |

mod dice;
mod generate;
#[expect(clippy::module_inception, reason = "the file of the nemesis itself")]
mod nemesis;
mod split;
mod values;

pub use nemesis::Nemesis;
pub use split::Split;
