//! A process that another run of the same program has started, to run one trial once more.

/// Environment variable with the path of the trial for which a process was started.
pub(crate) const TRIAL_PATH: &str = "SNOWGLOBE_TRIAL_PATH";

/// Environment variable by which a trial that was started for itself reports in JSON.
pub(crate) const RERUN: &str = "SNOWGLOBE_RERUN";

/// Returns whether the program that has started this process reads its report.
pub(crate) fn is_for_a_program() -> bool {
    std::env::var_os(RERUN).is_some()
}
