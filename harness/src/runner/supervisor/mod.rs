//! The supervisor: hands trials to the zygotes, listens, keeps time, and judges.
//!
//! A trial that writes must never wait for the runner, and a trial that hangs must never stop the
//! runner. So the supervisor is one thread around one `poll`: it always reads what trials write,
//! never waits for its own output, and never takes part in the memory of a test.
//!
//! | file | role |
//! |---|---|
//! | `supervisor.rs` | [`Supervisor`]: the loop |
//! | `plan.rs` | [`RunPlan`]: decisions made before the first trial |
//! | `copies.rs` | the copies of trials that run several times, with many seeds say |
//! | `pressure.rs` | whether the machine has processors enough |
//! | `twice.rs` | two runs with one seed, compared |
//! | `queue.rs` | the trials that wait, and which of them may run now |
//! | `wakeup.rs` | the reasons for which the supervisor wakes up |
//! | `zygote_pool.rs` | the processes that run trials |
//! | `active_trial.rs` | a trial that runs: its output, its time, its phases |
//! | `denials.rs` | what a trial lacks, for programs that were told no more than an errno |
//! | `reports.rs` | the reports of a trial, and the result that follows from them |
//! | `captured_output.rs` | the output of a trial, bounded |
//! | `shrunk.rs` | the search for smaller schedules, at the end of a run |
//! | `signals.rs` | the signals that a user, a shell or nextest sends |

mod active_trial;
mod captured_output;
mod copies;
mod denials;
mod plan;
mod pressure;
mod queue;
mod reports;
mod shrunk;
mod signals;
mod supervisor;
mod twice;
mod wakeup;
mod zygote_pool;

pub(crate) use active_trial::time_for_last_words;
pub(crate) use copies::Rounds;
pub(crate) use denials::{DeniedIn, explain as explain_denial};
pub(crate) use plan::RunPlan;
pub(crate) use reports::result_of;
pub(crate) use signals::Signals;
pub(crate) use supervisor::{Supervisor, Workers};
pub(crate) use zygote_pool::NurseryHandle;
