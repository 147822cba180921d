//! Differences when cargo-nextest runs the test program.
//!
//! nextest starts the program once for each test, with `--exact NAME --nocapture`, and judges by
//! the exit code alone. It says so in environment variables (nextest 0.9, "Environment variables").

/// Returns whether nextest runs this program.
pub(crate) fn runs_us() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

/// Returns whether nextest runs each test in a process of its own.
pub(crate) fn runs_one_test_a_process() -> bool {
    std::env::var("NEXTEST_EXECUTION_MODE").is_ok_and(|mode| mode == "process-per-test")
}
