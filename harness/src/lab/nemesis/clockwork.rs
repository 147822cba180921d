//! Carries out a schedule by the clock of the machine.

use std::sync::Arc;
use std::time::Instant;

use crate::lab::error::Result;
use crate::lab::faults::view::LabView;
use crate::lab::nemesis::agenda::{Agenda, ScheduleClock};
use crate::lab::schedules::Progress;
use crate::model::fault::Schedule;

/// Carries out a schedule, and heals everything at its end or when the test stops it.
pub(crate) fn carry_out(
    schedule: Arc<Schedule>,
    view: LabView,
    progress: &Arc<Progress>,
) -> Result<()> {
    // The functions of the test that say who has a role may panic. Nobody may wait for ever then.
    let _ending = EndAtLast(progress);
    // All times count from one moment, so that a late step does not delay those after it.
    let start = Instant::now();
    let clock = ScheduleClock::Running(start);
    let mut agenda = Agenda::new(schedule, view, Arc::clone(progress), clock);
    let result = step_by_step(&mut agenda, progress, start);
    result.and(agenda.heal_all())
}

/// Tells those who wait that the schedule has ended, however it has.
struct EndAtLast<'p>(&'p Progress);

impl Drop for EndAtLast<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn step_by_step(agenda: &mut Agenda, progress: &Progress, start: Instant) -> Result<()> {
    while let Some(time) = agenda.next_time() {
        if progress.sleep_until(Some(start + time)) {
            return Ok(());
        }
        agenda.do_next()?;
    }
    // A fault without an end would be over at once, were the thread to go on.
    if agenda.lasts_on() {
        progress.sleep_until(None);
    }
    Ok(())
}
