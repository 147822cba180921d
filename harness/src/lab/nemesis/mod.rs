//! Schedules of faults, carried out on a thread beside the test.
//!
//! | file | role |
//! |---|---|
//! | `run` | the guard of a schedule that is carried out |
//! | `clockwork` | the thread: what begins and ends, and when |
//! | `schedules` | all that are carried out on a lab |
//! | `kept` | the file of a trial's schedule, and the file that takes its place |
//! | `on_labs` | schedules and nemeses as methods of a lab |

pub(crate) mod clockwork;
#[cfg(feature = "toml")]
pub(crate) mod kept;
pub(crate) mod on_labs;
pub(crate) mod run;
pub(crate) mod schedules;
