//! Differences when cargo-nextest runs the test program.
//!
//! nextest starts the program once for each test, with `--exact NAME --nocapture`, and judges by
//! the exit code alone. It says so in environment variables (nextest 0.9, "Environment variables").

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use crate::kernel::process;
use crate::kernel::procfs::process_table;

/// Returns whether nextest runs this program.
pub(crate) fn runs_us() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

/// Returns whether nextest runs each test in a process of its own.
pub(crate) fn runs_one_test_a_process() -> bool {
    std::env::var("NEXTEST_EXECUTION_MODE").is_ok_and(|mode| mode == "process-per-test")
}

/// Environment variable with the id of the run, which all processes of the run have.
const RUN: &str = "NEXTEST_RUN_ID";

/// Returns the id of the run of nextest in which this process runs one test.
pub(crate) fn run() -> Option<String> {
    runs_one_test_a_process()
        .then(|| std::env::var(RUN).ok())
        .flatten()
}

/// Returns the number of this start among those that run at a time: the smallest that is free, from
/// 0 on (nextest 0.9.92 and later).
pub(crate) fn slot() -> Option<u64> {
    std::env::var("NEXTEST_TEST_GLOBAL_SLOT").ok()?.parse().ok()
}

/// Returns whether nextest may set a variable to another value for each start. All others are alike
/// for the tests of a program, unless the user's configuration says otherwise.
pub(crate) fn may_set_for_each_start(variable: &OsStr) -> bool {
    variable.as_bytes().starts_with(b"NEXTEST")
}

/// Returns a pidfd of the nextest process that has started the run: the nearest ancestor of this
/// process that is not part of the run itself. Between the two may be the program of the standard
/// harness, or a wrapper that the user has set.
pub(crate) fn process_of(run: &str) -> Option<OwnedFd> {
    let variable = format!("{RUN}={run}");
    let mut pid = std::process::id().cast_signed();
    loop {
        pid = process_table::parent_of(pid)?;
        let process = process::pidfd_open(pid).ok()?;
        if !process_table::has_variable(pid, &variable)? {
            return Some(process);
        }
    }
}
