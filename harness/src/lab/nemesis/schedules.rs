//! The schedules that are carried out on a lab.

use std::sync::{Arc, Weak};

use crate::kernel::sync::Lock;
use crate::lab::nemesis::progress::Progress;

/// All schedules that were started on a lab.
#[derive(Debug, Default)]
pub(crate) struct Schedules {
    all: Lock<Vec<Weak<Progress>>>,
}

impl Schedules {
    pub(crate) fn add(&self, progress: &Arc<Progress>) {
        self.all.lock().push(Arc::downgrade(progress));
    }

    /// Stops all of them, and waits until all faults are healed. What could not be healed is told
    /// by the guards of the schedules.
    pub(crate) fn stop_all(&self) {
        let all = std::mem::take(&mut *self.all.lock());
        for progress in all.iter().filter_map(Weak::upgrade) {
            progress.stop();
            progress.await_end();
        }
    }
}
