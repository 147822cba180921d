//! Who keeps the processes of a node from running: the test, faults, and points at which a program
//! is stopped, any number of them at once.
//!
//! A process goes on when nobody holds it any more, in whatever order the holds end.

use std::collections::BTreeMap;

use crate::kernel::process::signal::Signal;
use crate::kernel::procfs::process_table;
use crate::lab::attempt::ProgramAttempt;
use crate::lab::error::{LabError, Result};
use crate::lab::process::running::{Running, SETTLE_LIMIT};
use crate::lab::wait::wait_until;

/// The holds of the processes of a node.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    /// Whether the test has paused the node by itself.
    pub(crate) by_test: bool,
    /// Number of faults that hold all processes.
    pub(crate) by_faults: usize,
    /// Programs that are held by themselves.
    programs: BTreeMap<u32, HeldProgram>,
}

/// A program that is held, by its process id in the node.
#[derive(Debug)]
struct HeldProgram {
    count: usize,
    pid_in_trial: Option<i32>,
}

impl Holds {
    /// Returns whether all processes of the node are held.
    pub(crate) fn are_of_all(&self) -> bool {
        self.by_test || self.by_faults > 0
    }

    /// Returns the processes that stay stopped when the node goes on, by their ids in the trial.
    pub(crate) fn held_programs(&self) -> Vec<i32> {
        let held = self.programs.values();
        held.filter_map(|held| held.pid_in_trial).collect()
    }
}

impl Running {
    /// Stops the program, and waits until all its threads have stopped. The program is held until
    /// its [`release`](Self::release), even where the wait is in vain: it stops later then.
    pub(crate) fn hold(&self) -> Result<()> {
        let pid_in_trial = self.pid_in_trial();
        // The signal under the lock: no release may come between the count and the signal.
        let mut holds = self.holds().lock();
        let held = holds.programs.entry(self.pid());
        let held = held.or_insert(HeldProgram {
            count: 0,
            pid_in_trial,
        });
        held.count += 1;
        let stopped = self.signal(Signal::SIGSTOP as i32);
        drop(holds);
        stopped.map_err(|e| {
            let program = self.label().to_owned();
            LabError::io(ProgramAttempt::Stop { program }, &e).about_program(self.label())
        })?;
        let Some(pid) = pid_in_trial else {
            return Ok(());
        };
        // A thread in a system call stops on its way out of the call.
        wait_until(SETTLE_LIMIT, || process_table::is_stopped_or_dead(pid))
    }

    /// Lets a program go on that was held, unless somebody else holds it too.
    pub(crate) fn release(&self) {
        let mut holds = self.holds().lock();
        let Some(held) = holds.programs.get_mut(&self.pid()) else {
            return;
        };
        held.count -= 1;
        if held.count > 0 {
            return;
        }
        holds.programs.remove(&self.pid());
        if !holds.are_of_all() {
            // A program that has ended needs no signal.
            let _ = self.signal(Signal::SIGCONT as i32);
        }
    }
}
