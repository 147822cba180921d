//! The schedules of faults that are carried out on a lab, and how far each of them is.
//!
//! `nemesis` carries the schedules out. A lab knows its schedules, since the end of the lab ends
//! them.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::kernel::sync::{Lock, Notifier};

/// All schedules that were started on a lab.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    all: Lock<Vec<Weak<Progress>>>,
}

impl Schedules {
    pub(crate) fn add(&self, progress: &Arc<Progress>) {
        self.all.lock().push(Arc::downgrade(progress));
    }

    /// Stops all schedules, and waits until all their faults are healed. The guards of the
    /// schedules report faults that could not be healed.
    pub(crate) fn stop_all(&self) {
        // The lock is not held during the waits, which last until faults are healed: the test may
        // start another schedule meanwhile.
        let all = std::mem::take(&mut *self.all.lock());
        for progress in all.iter().filter_map(Weak::upgrade) {
            progress.stop();
            progress.await_end();
        }
    }
}

/// The messages between the thread of a schedule and the test.
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

    /// Notes that all faults are healed, and none will follow.
    pub(crate) fn end(&self) {
        self.state.lock().ended = true;
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

    /// Notes that a fault was left out.
    pub(crate) fn skip(&self) {
        self.state.lock().skipped += 1;
    }

    /// Returns the number of faults that were left out.
    pub(crate) fn skipped(&self) -> usize {
        self.state.lock().skipped
    }

    /// Waits until a time, or until the test wants an end. Returns whether it does.
    pub(crate) fn sleep_until(&self, time: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while !state.stop {
            let left = match time {
                Some(time) => time.saturating_duration_since(Instant::now()),
                // The wait lasts until the test stops the schedule: the length of one wait does not
                // matter.
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
