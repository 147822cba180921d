//! The guard of a schedule that is carried out.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::lab::error::Result;
use crate::lab::faults::guard::complain;
use crate::lab::schedules::Progress;
use crate::model::fault::Schedule;
use crate::sandbox::trial::body::is_fork;

/// A schedule that is carried out on a thread of the lab, until this is dropped.
///
/// A drop stops the schedule and heals what is in force. A fault that the kernel refused fails the
/// trial then.
#[must_use = "the schedule is stopped as soon as the guard is dropped"]
pub struct ScheduleRun {
    schedule: Arc<Schedule>,
    progress: Arc<Progress>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl ScheduleRun {
    pub(crate) fn new(
        schedule: Arc<Schedule>,
        progress: Arc<Progress>,
        thread: JoinHandle<Result<()>>,
    ) -> Self {
        Self {
            schedule,
            progress,
            thread: Some(thread),
        }
    }

    /// Returns the schedule that is carried out.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Returns whether all faults of the schedule are over and healed.
    pub fn has_ended(&self) -> bool {
        self.progress.has_ended()
    }

    /// Returns the number of faults that were left out so far, as their subjects were not there: a
    /// node that was down, a role that nobody played. [`events`](crate::Lab::events) tell which.
    pub fn skipped(&self) -> usize {
        self.progress.skipped()
    }

    /// Waits until all faults of the schedule are over and healed. A fault that lasts until the
    /// schedule is stopped is healed by [`stop`](Self::stop) alone.
    ///
    /// # Errors
    /// The kernel refused a fault, or to heal it.
    pub fn wait(mut self) -> Result<()> {
        self.join()
    }

    /// Waits until all faults of the schedule are over and healed, as [`wait`](Self::wait) does,
    /// and lets other futures run meanwhile, such as clients.
    ///
    /// A future that is dropped before, as `tokio::select!` does with the slower one, stops the
    /// schedule. The drop blocks the thread of the runtime until all faults are healed.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// There is no tokio runtime around.
    #[cfg(feature = "tokio")]
    pub async fn wait_async(mut self) -> Result<()> {
        // Nothing tells a future of the end of a thread.
        while self.thread.as_ref().is_some_and(|it| !it.is_finished()) {
            tokio::time::sleep(crate::attempts::LONGEST).await;
        }
        self.join()
    }

    /// Stops the schedule now, and heals what is in force.
    ///
    /// # Errors
    /// The kernel refused a fault, or to heal it.
    pub fn stop(mut self) -> Result<()> {
        self.progress.stop();
        self.join()
    }

    fn join(&mut self) -> Result<()> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        // The panic hook has printed the panic of a thread that has no result.
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for ScheduleRun {
    fn drop(&mut self) {
        if is_fork() {
            // The thread is in the process of the test alone.
            std::mem::forget(self.thread.take());
        }
        // A test that fails neither waits for the schedule nor stops the schedule.
        if self.thread.is_some() {
            self.progress.stop();
            complain(self.join());
        }
    }
}

impl fmt::Debug for ScheduleRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduleRun")
            .field("schedule", &self.schedule)
            .field("has_ended", &self.has_ended())
            .finish_non_exhaustive()
    }
}
