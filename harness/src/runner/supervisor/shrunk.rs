//! The search for smaller schedules of faults, at the end of a run.

use super::signals::Signals;
use crate::runner::report::FinishedTrial;

/// Searches for a smaller schedule with which a trial still fails. Returns what the report says of
/// that; nothing if the trial had no schedule.
#[cfg(feature = "toml")]
pub(crate) fn shrunk(
    finished: &FinishedTrial<'_>,
    together: usize,
    signals: &Signals,
) -> Option<String> {
    use crate::runner::report::again;
    use crate::runner::result::TrialResult;
    use crate::runner::shrink::Shrinking;
    let TrialResult::Failed(failure) = &finished.result else {
        return None;
    };
    let (trial, seed) = (finished.trial, finished.run_seed);
    let schedule = Shrinking::schedule_of(trial, finished.seed)?;
    // A signal that ended the run, or comes now, ends the search.
    let mut is_interrupted = || !signals.caught().is_empty();
    let search = Shrinking::new(
        trial,
        seed,
        failure,
        schedule,
        together,
        &mut is_interrupted,
    );
    Some(search.run(&again(trial, seed)))
}

#[cfg(not(feature = "toml"))]
pub(crate) fn shrunk(_: &FinishedTrial<'_>, _: usize, _: &Signals) -> Option<String> {
    None
}
