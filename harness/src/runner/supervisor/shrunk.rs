//! The search for smaller schedules of faults, at the end of a run.

use super::signals::Signals;
use crate::runner::report::FinishedTrial;

/// Searches for a smaller schedule with which a trial still fails, until a signal comes. The signal
/// ends the searches for all other trials as well. Returns what the report says of the search;
/// nothing if the trial had no schedule. A program that lies in no target directory keeps none, and
/// the report says so.
#[cfg(feature = "toml")]
pub(crate) fn shrunk(
    finished: &FinishedTrial<'_>,
    together: usize,
    signals: &Signals,
    is_over: &mut bool,
) -> Option<String> {
    use crate::runner::report::again;
    use crate::runner::result::TrialResult;
    use crate::runner::shrink::{FailedRun, Shrinking};
    let TrialResult::Failed(failure) = &finished.result else {
        return None;
    };
    let (trial, seed) = (finished.trial, finished.run_seed);
    let schedule = match Shrinking::schedule_of(trial, finished.seed) {
        Ok(schedule) => schedule?,
        Err(error) => return Some(format!("not shrunk: {error}\n")),
    };
    let mut is_interrupted = || {
        *is_over |= !signals.caught().is_empty();
        *is_over
    };
    let failed = FailedRun {
        trial,
        run_seed: seed,
        failure,
    };
    let search = Shrinking::new(failed, schedule, together, &mut is_interrupted);
    Some(search.run(&again(trial, seed)))
}

#[cfg(not(feature = "toml"))]
pub(crate) fn shrunk(_: &FinishedTrial<'_>, _: usize, _: &Signals, _: &mut bool) -> Option<String> {
    None
}
