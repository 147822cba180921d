//! A schedule whose time the test moves on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::lab::error::Result;
use crate::lab::faults::guard::complain;
use crate::lab::faults::view::LabView;
use crate::lab::nemesis::agenda::{Agenda, ScheduleClock};
use crate::lab::schedules::Progress;
use crate::model::fault::Schedule;
use crate::sandbox::trial::body::is_fork;

/// A schedule whose time goes on where the test says so, until this is dropped: see
/// [`Lab::schedule_in_steps`](crate::Lab::schedule_in_steps).
///
/// A drop heals what is in force. A fault that the kernel refused to heal fails the trial then.
#[must_use = "the faults are healed as soon as the guard is dropped"]
pub struct ScheduleSteps {
    agenda: Agenda,
    progress: Arc<Progress>,
}

impl ScheduleSteps {
    pub(crate) fn new(schedule: Arc<Schedule>, view: LabView) -> Self {
        let progress = Arc::new(Progress::default());
        let clock = ScheduleClock::Told {
            now: Duration::ZERO,
            until: Duration::ZERO,
        };
        Self {
            agenda: Agenda::new(schedule, view, Arc::clone(&progress), clock),
            progress,
        }
    }

    /// Returns the schedule that is carried out.
    pub fn schedule(&self) -> &Schedule {
        self.agenda.schedule()
    }

    /// Moves the time of the schedule on. Each fault that is due until then has begun or is healed
    /// when this returns, in the order of their times. A fault that waits for its subject looks for
    /// that once. Returns how many faults have begun or were healed.
    ///
    /// # Errors
    /// The kernel refused a fault, or to heal it.
    pub fn advance(&mut self, by: Duration) -> Result<usize> {
        let before = self.agenda.changes();
        self.agenda.move_on(by)?;
        Ok(self.agenda.changes() - before)
    }

    /// Returns whether there is nothing more to begin or to heal. A fault that lasts until the
    /// schedule is stopped is healed by [`stop`](Self::stop) alone.
    pub fn has_ended(&self) -> bool {
        self.agenda.next_time().is_none()
    }

    /// Returns the number of faults that were left out so far, as their subjects were not there.
    pub fn skipped(&self) -> usize {
        self.progress.skipped()
    }

    /// Heals what is in force. Nothing begins any more.
    ///
    /// # Errors
    /// The kernel refused to heal a fault.
    pub fn stop(mut self) -> Result<()> {
        self.agenda.heal_all()
    }
}

impl Drop for ScheduleSteps {
    fn drop(&mut self) {
        if is_fork() {
            self.agenda.leave();
        }
        complain(self.agenda.heal_all());
    }
}

impl fmt::Debug for ScheduleSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduleSteps")
            .field("schedule", &self.schedule())
            .field("has_ended", &self.has_ended())
            .finish_non_exhaustive()
    }
}
