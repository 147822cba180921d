//! What a schedule does next, and when: what begins and what ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::events::EventKind;
use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::lab::faults::guard::FaultGuard;
use crate::lab::faults::view::LabView;
use crate::lab::nemesis::left_out;
use crate::lab::schedules::Progress;
use crate::model::fault::{Schedule, ScheduledFault};

/// The clock by which a schedule is carried out.
#[derive(Debug)]
pub(crate) enum ScheduleClock {
    /// The clock of the machine, since the start of the schedule.
    Running(Instant),
    /// A clock that the test moves on: the present time, and the one at which the step is over.
    Told { now: Duration, until: Duration },
}

/// Time between two looks for the subject of a fault that waits for it. Nothing tells when a
/// function of the test has another answer.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl ScheduleClock {
    /// Returns the time since the start of the schedule.
    pub(crate) fn now(&self) -> Duration {
        match self {
            Self::Running(start) => start.elapsed(),
            Self::Told { now, .. } => *now,
        }
    }

    /// Returns the time of the next look after one that was in vain.
    fn next_look(&self) -> Duration {
        match self {
            Self::Running(start) => start.elapsed() + LOOK_AGAIN,
            // The subject is looked for in the test's next step, however long that is.
            Self::Told { until, .. } => *until + Duration::from_nanos(1),
        }
    }
}

/// A fault that is in force.
struct InForce {
    /// The time of the heal; none for a fault that lasts until the schedule is stopped.
    ends: Option<Duration>,
    /// Place of the fault in the schedule.
    place: usize,
    guard: FaultGuard,
}

/// A fault that waits for its subject.
struct Waiting {
    /// The time of the next look.
    look: Duration,
    /// Place of the fault in the schedule.
    place: usize,
}

/// The next thing that a schedule does. At one time, ends come first, since a fault may follow
/// another at once; then those that wait, which were due before the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// The fault in force that has this place in the schedule is healed.
    Heal(usize),
    /// The fault at this place looks again for its subject.
    Look(usize),
    /// The fault at this place begins.
    Begin(usize),
}

/// The faults of a schedule: those to begin, those that wait, and those in force.
pub(crate) struct Agenda {
    schedule: Arc<Schedule>,
    view: LabView,
    progress: Arc<Progress>,
    clock: ScheduleClock,
    /// Places of faults that are to begin, the last one first.
    to_begin: Vec<usize>,
    waiting: Vec<Waiting>,
    in_force: Vec<InForce>,
    /// Number of faults that have begun or were healed.
    changes: usize,
}

impl Agenda {
    pub(crate) fn new(
        schedule: Arc<Schedule>,
        view: LabView,
        progress: Arc<Progress>,
        clock: ScheduleClock,
    ) -> Self {
        let faults = schedule.faults();
        let mut to_begin: Vec<usize> = (0..faults.len()).collect();
        // The sort is stable: faults of one time begin in the order of the schedule.
        to_begin.sort_by_key(|place| faults[*place].at);
        to_begin.reverse();
        Self {
            schedule,
            view,
            progress,
            clock,
            to_begin,
            waiting: Vec::new(),
            in_force: Vec::new(),
            changes: 0,
        }
    }

    pub(crate) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Returns how many faults have begun or were healed so far.
    pub(crate) fn changes(&self) -> usize {
        self.changes
    }

    /// Returns whether a fault is in force that lasts until the schedule is stopped.
    pub(crate) fn lasts_on(&self) -> bool {
        self.in_force.iter().any(|fault| fault.ends.is_none())
    }

    /// Returns the time at which there is something to do.
    pub(crate) fn next_time(&self) -> Option<Duration> {
        self.next().map(|(time, _)| time)
    }

    fn next(&self) -> Option<(Duration, Step)> {
        let in_force = self.in_force.iter();
        let ends = in_force.filter_map(|it| Some((it.ends?, Step::Heal(it.place))));
        let looks = self.waiting.iter();
        let looks = looks.map(|it| (it.look, Step::Look(it.place)));
        let at = |place: &usize| (self.schedule.faults()[*place].at, Step::Begin(*place));
        let begin = self.to_begin.last().map(at);
        ends.chain(looks).chain(begin).min()
    }

    /// Does all that is due up to a time, by a clock that the test moves on.
    pub(crate) fn move_on(&mut self, by: Duration) -> Result<()> {
        let until = self.clock.now() + by;
        while let Some(time) = self.next_time().filter(|time| *time <= until) {
            self.clock = ScheduleClock::Told { now: time, until };
            self.do_next()?;
        }
        self.clock = ScheduleClock::Told { now: until, until };
        Ok(())
    }

    /// Does the next thing, which is due.
    pub(crate) fn do_next(&mut self) -> Result<()> {
        match self.next() {
            None => Ok(()),
            Some((_, Step::Heal(place))) => {
                let fault = self.in_force.iter().position(|it| it.place == place);
                // A fault is counted even where the heal fails, since a part of the fault may be
                // gone.
                self.changes += 1;
                fault.map_or(Ok(()), |it| self.in_force.remove(it).guard.heal())
            }
            Some((_, Step::Look(place))) => {
                self.waiting.retain(|it| it.place != place);
                self.begin(place)
            }
            Some((_, Step::Begin(place))) => {
                self.to_begin.pop();
                self.begin(place)
            }
        }
    }

    /// Begins a fault. Where its subject is not there, the fault waits for that, or is left out.
    fn begin(&mut self, place: usize) -> Result<()> {
        let ScheduledFault {
            at,
            waits,
            lasts,
            fault,
        } = self.schedule.faults()[place].clone();
        let asked = self.clock.now();
        let resolved = self.view.resolve_roles(fault.clone());
        // A function that says which nodes have a role may ask programs, or wait for such a node.
        // That time is not taken from the fault, which would be over before it began.
        let begins = match waits {
            Some(_) => self.clock.now(),
            None if fault.has_role() => at + (self.clock.now() - asked),
            None => at,
        };
        match resolved.and_then(|fault| self.view.inject(fault)) {
            Ok(guard) => {
                self.changes += 1;
                self.in_force.push(InForce {
                    ends: lasts.map(|lasts| begins.saturating_add(lasts)),
                    place,
                    guard,
                });
                Ok(())
            }
            Err(error) if !is_absence(&error) => Err(error),
            // The time is that of the question, so that each fault that waits is looked at once
            // more after its time is over, however long the answers of others took.
            Err(_) if waits.is_some_and(|waits| asked < at.saturating_add(waits)) => {
                let look = self.clock.next_look();
                self.waiting.push(Waiting { look, place });
                Ok(())
            }
            Err(error) => {
                self.progress.skip();
                let why = error.to_string();
                left_out::tell(&self.schedule.faults()[place], &why);
                self.view
                    .journal
                    .record(EventKind::FaultSkipped { fault, why });
                Ok(())
            }
        }
    }

    /// Forgets what is in force, without healing it.
    pub(crate) fn leave(&mut self) {
        std::mem::forget(std::mem::take(&mut self.in_force));
    }

    /// Heals all that is in force. Nothing begins any more.
    pub(crate) fn heal_all(&mut self) -> Result<()> {
        // The lists are cleared first, so that no fault begins any more whose role is played after
        // all.
        self.to_begin.clear();
        self.waiting.clear();
        // The last fault is healed first, as guards of a test would be.
        let guards = self.in_force.drain(..).rev();
        let healed = guards.map(|fault| fault.guard.heal());
        healed.fold(Ok(()), Result::and)
    }
}

/// Returns whether a fault had no subject when it was due: a node that another fault has crashed, a
/// program that has ended, or a role that no node has.
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
