//! Starts of one nextest run whose trials are run by a process which is there already.
//!
//! nextest starts the program once for each test. To make a zygote in each start costs two forks,
//! a walk through files of the host, and a thread, which together cost as much as the namespaces of
//! the trial. So the first start leaves a zygote behind, the *resident*
//! ([`super::zygote::resident`]), and those that are like it in all that a trial can see
//! ask the resident. There is one for each slot of nextest, so that none has to wait.
//!
//! A resident lives in the outer sandbox that the starts of the run share, and so it ends with
//! nextest, however that ends ([`crate::sandbox::outer`]). It ends by itself when nobody has asked
//! for a while.
//!
//! The wrappers of a run, `snowglobe exec`, have residents of their own, which run programs
//! ([`super::zygote::program_resident`]).
//!
//! | file | role |
//! |---|---|
//! | `likeness.rs` | which starts are alike |
//! | `start.rs` | how a start asks a resident to run its trial |
//! | `programs.rs` | how a start of `snowglobe exec` asks a resident to run its program |

mod likeness;
mod programs;
mod start;

pub(crate) use likeness::{Likeness, TrialStart};
pub(crate) use programs::enter_program;
pub(crate) use start::enter;
