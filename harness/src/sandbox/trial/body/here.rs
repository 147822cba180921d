//! Runs a test function in a process that is no copy of a zygote: in a program that a trial has
//! started.

use std::panic::{self, AssertUnwindSafe};

use super::conclude::{Ended, conclude};
use super::panics;
use crate::kernel::fd::FileIdentity;
use crate::kernel::process::before_main::run_remaining_constructors;
use crate::sandbox::protocol::trial::Finish;
use crate::trial::Trial;
use crate::trial::running::{self, Remark, RunningTrial};

/// Runs the trial on the calling thread, and returns how the test has come to its end. A process
/// can run one trial in this way.
pub(crate) fn run_here(trial: Trial, seed: u64) -> Finish {
    let options = *trial.options();
    let (name, body) = trial.into_name_and_body();
    running::begin(RunningTrial {
        name,
        seed,
        // Whoever has started the program: without an init there are no labs for root either.
        is_root: true,
        tell: |remark| match remark {
            Remark::Note(text) => eprintln!("note: {text}"),
            // The process comes to its end, or ends as the test wants it to.
            Remark::LastWords(_) | Remark::Death(_) => {}
        },
    });
    run_remaining_constructors();
    panics::watch();
    running::set_own_thread(true);
    let stderr = FileIdentity::of(std::io::stderr());
    panics::begin(stderr);
    let end = panic::catch_unwind(AssertUnwindSafe(|| body.run()));
    running::set_own_thread(false);
    conclude(Ended {
        options,
        end,
        stderr,
    })
}
