//! Schedules of faults, carried out on a thread beside the test, or by the test step by step.
//!
//! | file | role |
//! |---|---|
//! | `run` | the guard of a schedule that is carried out |
//! | `agenda` | what begins and ends next, and when |
//! | `clockwork` | the thread, which goes by the clock of the machine |
//! | `steps` | a schedule whose time the test moves on |
//! | `left_out` | what is told of faults that a schedule has left out |
//! | `kept` | the file of a trial's schedule, and the file that takes its place |
//! | `on_labs` | schedules and nemeses as methods of a lab |

pub(crate) mod agenda;
pub(crate) mod clockwork;
#[cfg(feature = "toml")]
pub(crate) mod kept;
pub(crate) mod left_out;
pub(crate) mod on_labs;
pub(crate) mod run;
pub(crate) mod steps;
