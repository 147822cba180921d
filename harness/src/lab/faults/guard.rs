//! The guard of a fault: the fault lasts as long as its guard lives.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::events::{EventKind, FaultId, Journal};
use crate::kernel::thread;
use crate::lab::attempt::{LabAttempt, ThreadPurpose};
use crate::lab::error::{LabError, Result};
use crate::model::fault::Fault;
use crate::sandbox::trial::body::is_fork;
use crate::trial::running;

/// A fault that is in force until this is dropped or [healed](Self::heal).
///
/// A heal that fails when the guard is dropped fails the trial: a drop cannot return an error.
#[must_use = "the fault is healed as soon as the guard is dropped"]
pub struct FaultGuard {
    fault: Fault,
    id: FaultId,
    journal: Arc<Journal>,
    /// The value that takes the fault away; none once that was tried.
    healing: Option<Box<dyn Healing>>,
}

/// Something done to a lab that can be undone.
pub(crate) trait Healing: Send + Sync {
    /// Undoes the thing that was done. The lab may be gone by then, and there is nothing to undo.
    fn heal(self: Box<Self>) -> Result<()>;
}

impl FaultGuard {
    /// Records that a fault is in force, and returns the guard that undoes it.
    pub(crate) fn begin(journal: &Arc<Journal>, fault: Fault, healing: Box<dyn Healing>) -> Self {
        // The fault is in force by now, so that whatever follows the event happened under the
        // fault.
        let id = journal.next_fault();
        journal.record(EventKind::FaultBegan {
            id,
            fault: fault.clone(),
        });
        Self {
            fault,
            id,
            journal: Arc::clone(journal),
            healing: Some(healing),
        }
    }

    /// Returns the fault, with the names of its links and nodes.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Returns the number by which [events](crate::events) know the fault.
    pub fn id(&self) -> FaultId {
        self.id
    }

    /// Heals the fault now.
    ///
    /// # Errors
    /// The kernel refuses to take the fault away.
    pub fn heal(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        // The drop of a guard follows its heal, and must not heal again.
        let Some(healing) = self.healing.take() else {
            return Ok(());
        };
        let healed = healing.heal();
        self.journal.record(EventKind::FaultEnded {
            id: self.id,
            fault: self.fault.clone(),
            error: healed.as_ref().err().map(ToString::to_string),
        });
        healed
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        if is_fork() {
            // This process is a fork: the fault belongs to the process of the test.
            std::mem::forget(self.healing.take());
            return;
        }
        complain(self.end());
    }
}

/// Fails the trial if a fault could not be healed: the drop of a guard cannot return an error.
pub(crate) fn complain(healed: Result<()>) {
    if let Err(error) = healed {
        running::complain(format!("a fault could not be healed: {error}"));
    }
}

/// A thread that keeps a fault up until this is healed or dropped.
#[derive(Debug)]
pub(crate) struct FaultThread {
    /// Dropping it stops the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FaultThread {
    /// Starts a thread. `does` completes the sentence of an error: "a thread that …".
    ///
    /// The work is given a function that waits for a time, or until the fault is over, and returns
    /// whether it is. The work takes the fault away before it returns.
    pub(crate) fn start(
        name: &str,
        does: &'static str,
        work: impl FnOnce(&dyn Fn(Duration) -> bool) + Send + 'static,
    ) -> Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let is_over = move |time| stopped.recv_timeout(time) != Err(RecvTimeoutError::Timeout);
        let thread = thread::start(name, move || work(&is_over)).map_err(|e| {
            let purpose = ThreadPurpose::Fault { does };
            LabError::io(LabAttempt::StartThread(purpose), &e)
        })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Healing for FaultThread {
    fn heal(self: Box<Self>) -> Result<()> {
        // The drop waits for the thread, which takes the fault away.
        drop(self);
        Ok(())
    }
}

impl Drop for FaultThread {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by the panic hook. What its work held was healed
            // while it unwound.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for FaultGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultGuard")
            .field("id", &self.id)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
