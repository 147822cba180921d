//! The runner: from the command line to the exit code.
//!
//! cargo, nextest and editors know a test program by its command line, its output and its exit
//! code, and all of them copy libtest. The runner looks like libtest from outside. Inside, it runs
//! every trial in a sandbox of its own, in a process that it can kill.
//!
//! | file | role |
//! |---|---|
//! | `entry.rs` | what [`snowglobe::main!`](crate::main) expands to |
//! | `registry.rs` | the trials that are written in this program |
//! | `run.rs` | [`run()`]: from trials and arguments to a [`Conclusion`] |
//! | `args/` | the command line and the environment variables |
//! | `select.rs`, `requirements.rs` | the trials that run, their order, and what they need |
//! | `users.rs` | users as whom trials run |
//! | `list.rs` | `--list` |
//! | `setup.rs`, `concurrency.rs` | what has to be there before the first trial |
//! | `supervisor/` | the process that hands out trials, listens, keeps time and judges |
//! | `zygote/` | the processes that run the trials |
//! | `result.rs` | the result of a trial |
//! | `report/` | the output, one file a format |
//! | `conclusion.rs`, `error.rs` | the two ends that a run can have |
//! | `resident/` | starts under cargo-nextest that find a zygote which is there already |
//! | `shrink/` | failed trials run again with ever smaller schedules of faults |
//! | `nextest.rs` | what is different under cargo-nextest |
//! | `within.rs` | a run of a program that a trial has started |
//! | `dropin.rs` | `#[snowglobe::test]` under the standard test harness |

mod args;
mod conclusion;
mod concurrency;
pub(crate) mod dropin;
mod entry;
pub(crate) mod error;
mod list;
mod nextest;
mod registry;
mod report;
mod requirements;
mod resident;
mod result;
mod run;
mod select;
mod setup;
#[cfg(feature = "toml")]
mod shrink;
mod supervisor;
mod users;
pub(crate) mod within;
mod zygote;

pub use args::{Arguments, Stress};
pub use conclusion::Conclusion;
pub(crate) use concurrency::{descriptors, most_users, usual_threads};
pub use entry::main;
pub use error::RunError;
pub use registry::registered;
pub use report::{Color, Format};
pub(crate) use resident::{Likeness, enter_program};
pub use run::run;
pub(crate) use setup::ProgramSetup;
pub(crate) use supervisor::{DeniedIn, NurseryHandle, explain_denial, time_for_last_words};
pub(crate) use users::look_up;
pub(crate) use zygote::program_resident::Runner;
