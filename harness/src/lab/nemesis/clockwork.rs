//! Carries out a schedule: what begins and what ends, each at its time.

use std::time::{Duration, Instant};

use crate::events::EventKind;
use crate::kernel::sync::{Lock, Notifier};
use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::lab::faults::guard::FaultGuard;
use crate::lab::faults::scene::Scene;
use crate::model::fault::{Schedule, ScheduledFault};

/// The messages between the thread and the test.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    state: Lock<ProgressState>,
    changed: Notifier,
}

#[derive(Debug, Default)]
struct ProgressState {
    /// Whether the test wants the schedule to end now.
    stop: bool,
    /// Whether all faults are healed, and none will follow.
    ended: bool,
    /// Faults that were left out.
    skipped: usize,
}

impl Progress {
    /// Makes the schedule end now.
    pub(crate) fn stop(&self) {
        self.state.lock().stop = true;
        self.changed.notify_all();
    }

    /// Waits until all faults are healed.
    pub(crate) fn await_end(&self) {
        let mut state = self.state.lock();
        while !state.ended {
            state = self.changed.wait(state);
        }
    }

    /// Returns whether all faults are healed, and none will follow.
    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// Returns the number of faults that were left out.
    pub(crate) fn skipped(&self) -> usize {
        self.state.lock().skipped
    }

    /// Waits until a time, or until the test wants an end. Returns whether it does.
    fn sleep_until(&self, time: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while !state.stop {
            let left = match time {
                Some(time) => time.saturating_duration_since(Instant::now()),
                // Until the test stops the schedule: the length of one wait is of no matter.
                None => Duration::from_secs(3600),
            };
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left);
        }
        true
    }
}

/// A step of a schedule: a fault that begins, or one that ends, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    at: Duration,
    /// At one time, ends come first: a fault may follow another at once.
    begins: bool,
    place: usize,
}

fn steps(faults: &[ScheduledFault]) -> Vec<Step> {
    let begin = faults.iter().enumerate().map(|(place, fault)| Step {
        at: fault.at,
        begins: true,
        place,
    });
    let end = faults.iter().enumerate().filter_map(|(place, fault)| {
        Some(Step {
            at: fault.ends()?,
            begins: false,
            place,
        })
    });
    let mut steps: Vec<Step> = begin.chain(end).collect();
    steps.sort();
    steps
}

/// Carries out a schedule, and heals everything at its end or when the test stops it.
pub(crate) fn carry_out(schedule: &Schedule, scene: &Scene, progress: &Progress) -> Result<()> {
    // The functions of the test that say who plays a role may panic. Nobody may wait for ever then.
    let _ending = EndAtLast(progress);
    let mut guards: Vec<(usize, FaultGuard)> = Vec::new();
    let result = step_by_step(schedule, scene, progress, &mut guards);
    // The last fault is healed first, as guards of a test would be.
    let healed = guards.into_iter().rev().map(|(_, guard)| guard.heal());
    healed.fold(result, Result::and)
}

/// Tells those who wait that the schedule has ended, however it has.
struct EndAtLast<'p>(&'p Progress);

impl Drop for EndAtLast<'_> {
    fn drop(&mut self) {
        self.0.state.lock().ended = true;
        self.0.changed.notify_all();
    }
}

fn step_by_step(
    schedule: &Schedule,
    scene: &Scene,
    progress: &Progress,
    guards: &mut Vec<(usize, FaultGuard)>,
) -> Result<()> {
    let faults = schedule.faults();
    // All times count from one moment, so that a late step does not delay those after it.
    let start = Instant::now();
    for step in steps(faults) {
        if progress.sleep_until(Some(start + step.at)) {
            return Ok(());
        }
        if !step.begins {
            let of_step = |(place, _): &(usize, FaultGuard)| *place == step.place;
            // A fault that was left out has no guard, and nothing to end.
            if let Some(found) = guards.iter().position(of_step) {
                guards.remove(found).1.heal()?;
            }
            continue;
        }
        let fault = &faults[step.place].fault;
        match scene.inject(fault.clone()) {
            Ok(guard) => guards.push((step.place, guard)),
            Err(error) if is_absence(&error) => {
                progress.state.lock().skipped += 1;
                scene.journal.record(EventKind::FaultSkipped {
                    fault: fault.clone(),
                    why: error.to_string(),
                });
            }
            Err(error) => return Err(error),
        }
    }
    // A fault without an end would be over at once, were the thread to go on.
    if faults.iter().any(|fault| fault.lasts.is_none()) {
        progress.sleep_until(None);
    }
    Ok(())
}

/// Whether a fault had no subject when it was due: a node that another fault has crashed, a program
/// that has ended, or a role that nobody plays.
fn is_absence(error: &LabError) -> bool {
    match error.kind() {
        LabErrorKind::Crashed
        | LabErrorKind::Removed
        | LabErrorKind::ProcessEnded
        | LabErrorKind::NotFound => true,
        LabErrorKind::InvalidTopology
        | LabErrorKind::InvalidArgument
        | LabErrorKind::NotSupported
        | LabErrorKind::TimedOut
        | LabErrorKind::Refused
        | LabErrorKind::Other => false,
    }
}
