//! The processes that run the trials.
//!
//! A trial must not change the process in which the next trial runs, and starting the test program
//! for each trial costs too much. So a process that has run no test is forked again and again.
//!
//! | file | role |
//! |---|---|
//! | `nursery.rs` | the first process of the outer sandbox, which forks and kills zygotes |
//! | `zygote.rs` | a copy of the nursery that runs one trial after another |
//! | `resident.rs` | a zygote that runs trials for one start of the program after another |
//! | `program_resident.rs` | a zygote that runs the programs of one wrapper after another |
//! | `resident_zygote.rs` | things that both of these do alike |
//! | `ordered_trial.rs` | a single trial, from its sandbox to its leftovers |
//! | `setting.rs` | whatever all trials of a run find alike |
//! | `orders.rs` | the channel to the supervisor |
//! | `hostname.rs` | the hostname of a trial |

mod hostname;
pub(crate) mod nursery;
mod ordered_trial;
mod orders;
pub(crate) mod program_resident;
pub(crate) mod resident;
pub(crate) mod resident_zygote;
mod setting;
mod zygote;

pub(crate) use setting::{Outside, Setting};
pub(crate) use zygote::Zygote;
