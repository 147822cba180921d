//! Carries out a schedule: what begins and what ends, each at its time.

use std::time::{Duration, Instant};

use crate::events::EventKind;
use crate::kernel::sync::{Lock, Notifier};
use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::lab::faults::guard::FaultGuard;
use crate::lab::faults::scene::Scene;
use crate::model::fault::{Fault, Schedule, ScheduledFault};

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

/// A fault that is in force.
struct InForce {
    /// The time of the heal; none for a fault that lasts until the schedule is stopped.
    ends: Option<Instant>,
    /// Place of the fault in the schedule.
    place: usize,
    guard: FaultGuard,
}

/// The next thing that a schedule does.
enum Step {
    /// The fault at this place among those in force is healed.
    Heal(usize),
    /// The fault at this place in the schedule begins.
    Begin(usize),
}

/// The faults of a schedule that are still to begin, and those in force.
struct Agenda {
    start: Instant,
    /// Places of faults that are to begin, the last one first.
    to_begin: Vec<usize>,
    in_force: Vec<InForce>,
}

impl Agenda {
    fn new(faults: &[ScheduledFault]) -> Self {
        let mut to_begin: Vec<usize> = (0..faults.len()).collect();
        // A stable sort: faults of one time begin in the order of the schedule.
        to_begin.sort_by_key(|place| faults[*place].at);
        to_begin.reverse();
        Self {
            // All times count from one moment, so that a late step does not delay those after it.
            start: Instant::now(),
            to_begin,
            in_force: Vec::new(),
        }
    }

    /// Returns what is to be done next, and when.
    fn next(&self, faults: &[ScheduledFault]) -> Option<(Instant, Step)> {
        let in_force = self.in_force.iter().enumerate();
        let ends = in_force.filter_map(|(at, fault)| Some((fault.ends?, fault.place, at)));
        let end = ends.min().map(|(time, _, at)| (time, Step::Heal(at)));
        let begin = self.to_begin.last().map(|place| {
            let time = self.start + faults[*place].at;
            (time, Step::Begin(*place))
        });
        match (end, begin) {
            // At one time, ends come first: a fault may follow another at once.
            (Some(end), Some(begin)) if begin.0 < end.0 => Some(begin),
            (end, begin) => end.or(begin),
        }
    }
}

/// Carries out a schedule, and heals everything at its end or when the test stops it.
pub(crate) fn carry_out(schedule: &Schedule, scene: &Scene, progress: &Progress) -> Result<()> {
    // The functions of the test that say who plays a role may panic. Nobody may wait for ever then.
    let _ending = EndAtLast(progress);
    let mut agenda = Agenda::new(schedule.faults());
    let result = step_by_step(schedule.faults(), scene, progress, &mut agenda);
    // The last fault is healed first, as guards of a test would be.
    let guards = agenda.in_force.into_iter().rev();
    let healed = guards.map(|fault| fault.guard.heal());
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
    faults: &[ScheduledFault],
    scene: &Scene,
    progress: &Progress,
    agenda: &mut Agenda,
) -> Result<()> {
    while let Some((time, step)) = agenda.next(faults) {
        if progress.sleep_until(Some(time)) {
            return Ok(());
        }
        match step {
            Step::Heal(at) => agenda.in_force.remove(at).guard.heal()?,
            Step::Begin(place) => {
                agenda.to_begin.pop();
                let ends = faults[place].ends().map(|ends| agenda.start + ends);
                agenda
                    .in_force
                    .extend(begin(&faults[place].fault, place, ends, scene, progress)?);
            }
        }
    }
    // A fault without an end would be over at once, were the thread to go on.
    if faults.iter().any(|fault| fault.lasts.is_none()) {
        progress.sleep_until(None);
    }
    Ok(())
}

/// Begins a fault, or leaves it out where its subject is not there.
fn begin(
    fault: &Fault,
    place: usize,
    ends: Option<Instant>,
    scene: &Scene,
    progress: &Progress,
) -> Result<Option<InForce>> {
    let asked = Instant::now();
    let cast = scene.cast(fault.clone());
    // A function that says who plays a role may ask programs, or wait until somebody plays it. That
    // time is not taken from the fault, which would be over before it began.
    let waited = if fault.has_role() {
        asked.elapsed()
    } else {
        Duration::ZERO
    };
    match cast.and_then(|fault| scene.inject(fault)) {
        Ok(guard) => Ok(Some(InForce {
            ends: ends.map(|ends| ends + waited),
            place,
            guard,
        })),
        Err(error) if is_absence(&error) => {
            progress.state.lock().skipped += 1;
            scene.journal.record(EventKind::FaultSkipped {
                fault: fault.clone(),
                why: error.to_string(),
            });
            Ok(None)
        }
        Err(error) => Err(error),
    }
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
