//! A process that another run of the same program has started, to run one trial once more.

use std::time::Duration;

use crate::kernel::sync::Lock;
use crate::model::time_scale::TimeScale;
use crate::trial::time_scale;

/// Environment variable with the path of the trial for which a process was started.
pub(crate) const TRIAL_PATH: &str = "SNOWGLOBE_TRIAL_PATH";

/// Environment variable by which a trial that was started for itself reports in JSON.
pub(crate) const RERUN: &str = "SNOWGLOBE_RERUN";

/// Returns whether the program that has started this process reads its report.
pub(crate) fn is_for_a_program() -> bool {
    std::env::var_os(RERUN).is_some()
}

/// Environment variable with the default timeout of a trial.
pub(super) const TIMEOUT: &str = "SNOWGLOBE_TIMEOUT";

/// Environment variable with the user as whom trials run.
pub(super) const USER: &str = "SNOWGLOBE_USER";

static SETTINGS: Lock<Vec<(&'static str, String)>> = Lock::new(Vec::new());

/// Keeps the settings of this run on which the verdict of a trial can depend, for other runs of the
/// trial. The code that prints lines to copy has no arguments.
pub(crate) fn keep_settings(
    timeout: Option<Duration>,
    user: Option<&str>,
    scale: Option<TimeScale>,
) {
    let all = [
        (TIMEOUT, timeout.map(|it| format!("{}ms", it.as_millis()))),
        (USER, user.map(str::to_owned)),
        (time_scale::VARIABLE, scale.map(|it| it.to_string())),
    ];
    let given = all.into_iter();
    let given = given.filter_map(|(variable, value)| Some((variable, value?)));
    *SETTINGS.lock() = given.collect();
}

/// Returns the variables that give another run the settings of this one, with their values.
pub(crate) fn settings() -> Vec<(&'static str, String)> {
    SETTINGS.lock().clone()
}
