//! The process of the test body, a copy of a thread with the test's name.
//!
//! It runs the test function and says how that ended. The truth needs some care: panics on other
//! threads, values that are dropped after the function, threads that still write a capture.
//!
//! | file | role |
//! |---|---|
//! | `run` | runs the test function, on the only thread of the process |
//! | `here` | runs the test function in a program that a trial has started |
//! | `conclude` | what is done when the values of the test's thread are gone, and the report |
//! | `verdict` | what the end of a test function means: pure |
//! | `panics` | remembers each panic of the process |
//! | `backtrace` | the frames of the test in a backtrace: pure |
//! | `channel` | the channels to the init: for reports, and for nodes |
//! | `ordinary_user` | a body that is another user than root |
//! | `home` | a home directory of the trial's own |
//! | `profiles` | names for LLVM's profiles in a coverage build |

mod backtrace;
mod channel;
mod conclude;
mod here;
mod home;
mod ordinary_user;
mod panics;
mod profiles;
mod run;
mod verdict;

pub(crate) use channel::{
    is_fork, node_factory, report_program_end, report_without_channel, tell_if_closed,
};
pub(crate) use conclude::end_fork_in_node;
pub(crate) use here::run_here;
pub(crate) use home::private as private_home;
pub(crate) use profiles::{remember_supervisor, supervisor_pid};
pub(crate) use run::{become_program, prepare, prepare_thread, run};
