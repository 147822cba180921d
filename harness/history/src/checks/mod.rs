//! Checks that look for one kind of mistake, in time that grows little more than the history.
//!
//! Linearizability asks for everything at once, and some servers promise less. These checks each
//! ask for one thing. What they report is wrong under any order; what no order was needed to see,
//! they do not report.
//!
//! | check | finds |
//! |---|---|
//! | [`stale_reads`] | reads of what had been overwritten before |
//! | [`sessions`] | broken session guarantees: monotonic reads and writes, own writes, causes |
//! | [`sets`] | elements that are lost, stale, there twice, or from nowhere |
//! | [`queues`] | the same of a queue |
//! | [`unique_ids`] | ids that were given twice |
//! | [`counters`] | sums that no order of the additions gives |

mod counters;
mod ids;
mod queues;
mod registers;
mod sessions;
mod sets;
mod stale;

pub use counters::counters;
pub use ids::unique_ids;
pub use queues::queues;
pub use registers::RegisterCall;
pub use sessions::{sessions, sessions_by};
pub use sets::sets;
pub use stale::stale_reads;
