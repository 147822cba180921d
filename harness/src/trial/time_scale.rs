//! The factor by which this process stretches waits and time limits.

use std::sync::OnceLock;
use std::time::Duration;

use crate::model::time_scale::TimeScale;

/// Environment variable with the factor.
pub(crate) const VARIABLE: &str = "SNOWGLOBE_TIME_SCALE";

static SCALE: OnceLock<TimeScale> = OnceLock::new();

/// Sets the factor that the command line has. The processes of trials are copies of this one.
pub(crate) fn set(scale: TimeScale) {
    SCALE.get_or_init(|| scale);
}

/// Returns the time that a wait of this length lasts.
pub(crate) fn stretched(time: Duration) -> Duration {
    SCALE.get_or_init(from_environment).stretch(time)
}

/// Returns the factor for a process in which no runner has read the environment.
fn from_environment() -> TimeScale {
    let Some(text) = std::env::var_os(VARIABLE) else {
        return TimeScale::NONE;
    };
    let text = text.to_string_lossy();
    text.parse().unwrap_or_else(|why| {
        eprintln!("note: {VARIABLE} is `{text}`, and has no effect: {why}");
        TimeScale::NONE
    })
}
