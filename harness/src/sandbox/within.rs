//! Marks by which a program knows that a trial has started it, and that there is no way to make
//! sandboxes in that trial.
//!
//! Suites that test processes start their own program again, as `current_exe() --exact child_case`.
//! In a trial such a program could make no user namespace, unless the trial has the option
//! `nested`. There is no need for one either: the program is in the world of its trial. The
//! environment tells so, and to a program that was started without its environment the name of the
//! first process.

use crate::Isolation;
use crate::kernel::process;
use crate::kernel::thread::show_as;
use crate::sandbox::trial::mounts::SandboxSpec;
use crate::trial::Options;

/// Environment variable of everything that a trial starts.
const VARIABLE: &str = "SNOWGLOBE_WITHIN_TRIAL";
/// Name of the first process of a trial. The kernel keeps fifteen bytes of it (`prctl(2)`,
/// PR_SET_NAME).
const FIRST_PROCESS: &str = "snowglobe-trial";

/// Marks the environment, once for all trials of a run.
pub(crate) fn mark_environment() {
    process::set_env(VARIABLE, "1");
}

/// Takes the mark off the environment of a trial in which sandboxes can be made.
pub(crate) fn correct_environment(options: &Options) {
    if options.nested || !options.isolation.contains(Isolation::USER) {
        process::remove_env(VARIABLE);
    }
}

/// Marks the calling process, the first one of a trial, if no sandboxes can be made in the trial.
pub(crate) fn mark_first_process(spec: &SandboxSpec<'_>) {
    if spec.isolation.contains(Isolation::USER) && !spec.nested {
        show_as(FIRST_PROCESS);
    }
}

/// Returns whether a trial has started this program, or a program of the trial has, and no
/// sandboxes can be made there.
pub(crate) fn is_within_trial() -> bool {
    let first = || std::fs::read_to_string("/proc/1/comm");
    std::env::var_os(VARIABLE).is_some()
        || first().is_ok_and(|name| name.trim_end() == FIRST_PROCESS)
}
