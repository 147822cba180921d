//! All programs that were started in a node, and how they come to their end.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::kernel::process::exit_kind::ExitKind;
use crate::kernel::process::signal::Signal;
use crate::kernel::sync::Lock;
use crate::lab::failure::EndedProgram;
use crate::lab::process::holds::Holds;
use crate::lab::process::lowered::LoweredLimits;
use crate::lab::process::running::Running;
use crate::topology::StartCommand;
use crate::trial::running as trial;

/// The programs that were started in a node since the node's first process started.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    /// Programs that run, or whose end is still of interest.
    all: Lock<Vec<Arc<Running>>>,
    /// Number of programs by the label without a number, those that are forgotten included.
    labels: Lock<HashMap<String, usize>>,
    // Shared with the programs: a point of a program may end when the node is gone.
    holds: Arc<Lock<Holds>>,
    lowered: Lock<LoweredLimits>,
    /// Number of times that all processes of the node were killed.
    kills: AtomicU64,
}

impl Programs {
    /// Adds a program that was started after this many kills of all processes.
    pub(crate) fn add(&self, running: Arc<Running>, kills: u64) {
        let mut all = self.all.lock();
        // The node may have been stopped before the start was reported. That stop has killed this
        // program too.
        if self.kills() != kills {
            running.expect();
            return;
        }
        // Each holds two descriptors, and a test may start thousands one after the other.
        all.retain(|earlier| Arc::strong_count(earlier) > 1 || !earlier.is_over());
        all.push(running);
    }

    /// Returns a label that no program of the node has: `bob/nginx`, and `bob/nginx#2` for the
    /// second.
    pub(crate) fn free_label(&self, label: String) -> String {
        let mut labels = self.labels.lock();
        let number = labels.entry(label.clone()).or_default();
        *number += 1;
        match number {
            1 => label,
            number => format!("{label}#{number}"),
        }
    }

    /// Returns who keeps the processes of the node from running.
    pub(crate) fn holds(&self) -> &Arc<Lock<Holds>> {
        &self.holds
    }

    /// Returns the limits of processes of the node that faults have lowered.
    pub(crate) fn lowered(&self) -> &Lock<LoweredLimits> {
        &self.lowered
    }

    /// Returns whether no program was started.
    pub(crate) fn is_unused(&self) -> bool {
        self.labels.lock().is_empty()
    }

    /// Returns whether a program was started since the node's first process started.
    pub(crate) fn has(&self, running: &Arc<Running>) -> bool {
        self.all.lock().iter().any(|it| Arc::ptr_eq(it, running))
    }

    /// Returns the last lines of each program, and how it ended.
    pub(crate) fn last_lines(&self) -> String {
        // The list is copied, since nobody may hold the lock while the last lines of a program are
        // waited for.
        let all = self.all.lock().clone();
        let tell = |running: &Arc<Running>| {
            let end = running.ended().map(ExitKind::from);
            let end = end.map_or(String::new(), |end| format!(" {end};"));
            format!("`{}`{end} {}", running.label(), running.last_lines())
        };
        let each: Vec<String> = all.iter().map(tell).collect();
        match each.is_empty() {
            true => "it ran no program".to_owned(),
            false => each.join("\n"),
        }
    }

    /// Returns the first program whose bad end nobody has expected, if no program runs, and none
    /// is to be started again by the end of a fault.
    pub(crate) fn dead(&self) -> Option<Arc<Running>> {
        let all = self.all.lock();
        let may_serve = |it: &Arc<Running>| it.ended().is_none() || it.is_excused();
        if all.iter().any(may_serve) {
            return None;
        }
        let mut dead = all.iter().filter(|it| it.has_ended_by_surprise());
        dead.next().cloned()
    }

    /// Returns the programs that have ended badly without anybody having expected an end.
    pub(crate) fn ended_badly(&self) -> Vec<EndedProgram> {
        // The list is copied, since nobody may hold the lock while the end of a program is waited
        // for.
        let all = self.all.lock().clone();
        let surprising = all.iter().filter(|it| it.has_ended_by_surprise());
        let told = surprising.filter_map(|it| {
            Some(EndedProgram {
                label: it.label().to_owned(),
                how: it.ended().map(ExitKind::from)?,
                lines: it.last_lines(),
            })
        });
        told.collect()
    }

    /// Returns the programs that have not ended.
    pub(crate) fn alive(&self) -> Vec<Arc<Running>> {
        let all = self.all.lock();
        let alive = all.iter().filter(|running| running.ended().is_none());
        alive.cloned().collect()
    }

    /// Returns the program that a command of the node's start has started: the one at this place
    /// among equal ones.
    pub(crate) fn of_command(&self, command: &StartCommand, place: usize) -> Option<Arc<Running>> {
        let all = self.all.lock();
        let mut equal = all.iter().filter(|it| it.is_of(command));
        equal.nth(place).cloned()
    }

    /// Notes that nobody is to be surprised by the end of any of the programs.
    pub(crate) fn expect_all(&self) {
        self.all.lock().iter().for_each(|running| running.expect());
    }

    /// Returns how often all processes of the node were killed so far.
    pub(crate) fn kills(&self) -> u64 {
        self.kills.load(Ordering::Relaxed)
    }

    /// Notes that all programs are to be killed, those included that are just being started.
    pub(crate) fn note_kill(&self) {
        let all = self.all.lock();
        // The number changes while the lock is held: a program that is added before is expected
        // here, and one that is added later finds the number changed.
        self.kills.fetch_add(1, Ordering::Relaxed);
        all.iter().for_each(|running| running.expect());
    }

    /// Reports the programs that ended badly without anybody having expected an end.
    pub(crate) fn report_surprises(&self) {
        for running in self.all.lock().iter() {
            if let Some(sentence) = running.surprise() {
                trial::complain(sentence);
            }
        }
    }

    /// Forgets a program in whose place another is started with the same arguments. Otherwise the
    /// old one would be taken for the program of its command.
    pub(crate) fn forget(&self, old: &Arc<Running>) {
        self.all.lock().retain(|it| !Arc::ptr_eq(it, old));
    }

    /// Forgets all programs: the node's processes are dead.
    pub(crate) fn clear(&self) {
        self.all.lock().clear();
        self.labels.lock().clear();
    }
}

/// Asks programs to end, and waits until they have, or until `deadline`.
pub(crate) fn terminate(alive: &[Arc<Running>], deadline: Instant) {
    // Programs that are to be killed at once die with their node.
    let asked = alive
        .iter()
        .filter(|running| running.is_terminated_on_drop());
    for running in asked.clone() {
        running.expect();
        // A program that has just ended needs no signal, so the refusal (ESRCH) is no news.
        let _ = running.signal(Signal::SIGTERM as i32);
        // A stopped process gets the SIGTERM only when it goes on: signal(7).
        let _ = running.signal(Signal::SIGCONT as i32);
    }
    for running in asked {
        // A program that takes longer is killed with its node, whatever its status would be.
        let _ = running.ended_by(Some(deadline));
    }
    // Programs that did not end in time are killed next, which must not count as a crash.
    alive.iter().for_each(|running| running.expect());
}
