//! A trial: one test case, with a name, options and a body.
//!
//! | file | role |
//! |---|---|
//! | `trial.rs` | [`Trial`], and what the attribute macro writes down about a test function |
//! | `options.rs` | what a trial may ask for |
//! | `isolation.rs` | the namespaces that a trial gets |
//! | `feature.rs` | names of what not every kernel can do |
//! | `failed.rs` | what a test function may return, and how an error becomes a failure |
//! | `returned.rs` | which of the values that a test function returns are failures |
//! | `from_inside.rs` | functions that a test calls on the trial that runs it |
//! | `running.rs` | state of the trial that this process runs |
//! | `record.rs` | what a trial that runs twice leaves for a comparison |
//! | `patience.rs` | how long waits of a lab last before they fail |
//! | `time_scale.rs` | the factor by which waits and time limits are stretched |

mod failed;
mod feature;
mod from_inside;
mod isolation;
mod options;
pub(crate) mod patience;
pub(crate) mod record;
pub(crate) mod returned;
pub(crate) mod running;
pub(crate) mod time_scale;
mod trial;

pub use failed::{Failed, Outcome, TestResult};
pub use feature::Feature;
pub use from_inside::{at_end, note, seed, trial_name};
pub use isolation::Isolation;
pub(crate) use options::TestUser;
pub use options::{Need, Options, ShouldPanic, Weight};
pub use trial::{Definition, TRIALS, Trial};
pub(crate) use trial::{LackEffect, TestBody};
