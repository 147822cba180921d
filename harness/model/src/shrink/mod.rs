//! A search for a smaller schedule with which a test still fails.
//!
//! A schedule that a seed has drawn has a dozen faults, of which one or two matter. The search
//! leaves faults out, makes them shorter and later and lets them hit fewer nodes, for as long as
//! the test fails. The search knows no processes: whoever runs the test asks for runs
//! ([`CandidateRuns`]), and says how they ended.
//!
//! | file | role |
//! |---|---|
//! | `search` | [`shrink`]: the search, by delta debugging |
//! | `faults` | simpler faults of a schedule |
//! | `batch` | [`CandidateRuns`]: the runs that show which of several candidates still fails |
//! | `confidence` | [`Confidence`]: how many runs of a candidate have to fail |

mod batch;
mod confidence;
mod faults;
mod search;

pub use batch::CandidateRuns;
pub use confidence::Confidence;
pub use faults::simpler;
pub use search::shrink;
