//! The runner: from the command line to the exit code.
//!
//! cargo, nextest and editors know a test program by its command line, its output and its exit
//! code, and all of them copy libtest. The runner looks like libtest from outside. Inside, it runs
//! every trial in a sandbox of its own, in a process that it can kill.
//!
//! | file | role |
//! |---|---|
//! | `run.rs` | [`run()`]: from trials and arguments to a [`Conclusion`] |
//! | `args/` | the command line and the environment variables |
//! | `select.rs`, `requirements.rs` | the trials that run, their order, and what they need |
//! | `list.rs` | `--list` |
//! | `supervisor/` | the process that hands out trials, listens, keeps time and judges |
//! | `zygote/` | the processes that run the trials |
//! | `result.rs` | the result of a trial, made of its reports |
//! | `report/` | the output, one file a format |
//! | `conclusion.rs`, `error.rs` | the two ends that a run can have |
//! | `dropin.rs` | `#[snowglobe::test]` under the standard test harness |

mod args;
mod conclusion;
pub(crate) mod dropin;
pub(crate) mod error;
mod list;
mod report;
mod requirements;
mod result;
mod run;
mod select;
mod supervisor;
mod zygote;

pub use args::Arguments;
pub use conclusion::Conclusion;
pub use error::RunError;
pub use report::{Color, Format};
pub(crate) use run::descriptors;
pub use run::{main, registered, run};
