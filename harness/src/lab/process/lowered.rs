//! Limits of the processes of a node that faults have lowered, any number of them at once.
//!
//! The lowest limit holds. When the last fault has ended, each process has the limit that it had
//! before the first, in whatever order the faults end.

use std::collections::HashMap;

use crate::kernel::errno::Errno;
use crate::kernel::process::limits::{ProcessLimit, set_soft_limit, soft_limit};
use crate::kernel::procfs::process_table;

/// The lowered limits of the processes of a node.
#[derive(Debug, Default)]
pub(crate) struct LoweredLimits {
    next: u64,
    in_force: Vec<Lowered>,
    /// Limits before the first fault, by the process id in the trial.
    before: HashMap<(ProcessLimit, i32), u64>,
}

/// The result of a fault that lowers limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoweringOutcome {
    /// Some process has a lower limit. The fault ends by this number.
    InForce(u64),
    /// No process runs that has the limit.
    NoProcess,
    /// The limits of all processes are as low already; this is the lowest.
    AlreadyLower(u64),
}

/// The limits that one fault has lowered.
#[derive(Debug)]
struct Lowered {
    number: u64,
    limit: ProcessLimit,
    /// Limits by the process id in the trial.
    soft: HashMap<i32, u64>,
}

impl Lowered {
    /// Returns the limit of a process. One that was started under the fault has the limit of its
    /// parent, whoever that was.
    fn of(&self, pid: i32) -> Option<u64> {
        let own = self.soft.get(&pid);
        own.or_else(|| self.soft.values().max()).copied()
    }
}

impl LoweredLimits {
    /// Lowers a limit of some processes, each to what `lowered` returns for it.
    ///
    /// # Errors
    /// The kernel refuses the limit of a process, which comes with the errno.
    pub(crate) fn begin(
        &mut self,
        limit: ProcessLimit,
        pids: &[i32],
        lowered: impl Fn(i32) -> Option<u64>,
    ) -> Result<LoweringOutcome, (i32, Errno)> {
        let number = self.next;
        self.next += 1;
        let inherited = self.highest_before(limit);
        let mut own = Lowered {
            number,
            limit,
            soft: HashMap::new(),
        };
        let mut refused = None;
        let mut lowest = None;
        // A fault that lowers the limit of no process would never show.
        let mut shows = false;
        for pid in pids {
            // A process that is about to end has no memory any more.
            let Some(soft) = lowered(*pid) else { continue };
            // The limit without faults. A fault never raises a limit that is lower already.
            let usual = self.before.get(&(limit, *pid)).copied().or(inherited);
            let usual = usual.or_else(|| soft_limit(*pid, limit).ok());
            if let Some(usual) = usual.filter(|usual| *usual <= soft) {
                lowest = Some(lowest.map_or(usual, |other: u64| other.min(usual)));
                // The end of the fault leaves the limit as it is.
                self.before.entry((limit, *pid)).or_insert(usual);
                own.soft.insert(*pid, usual);
                continue;
            }
            // Another fault may have lowered it further.
            let least = self
                .least(limit, *pid)
                .map_or(soft, |least| soft.min(least));
            match set_soft_limit(*pid, limit, least) {
                Ok(before) => {
                    let before = inherited.unwrap_or(before);
                    self.before.entry((limit, *pid)).or_insert(before);
                    own.soft.insert(*pid, soft);
                    shows = true;
                }
                Err(_) if process_table::is_stopped_or_dead(*pid) => {}
                Err(errno) => {
                    refused = Some((*pid, errno));
                    break;
                }
            }
        }
        self.in_force.push(own);
        if let Some(refused) = refused {
            self.end(number, Some(pids));
            return Err(refused);
        }
        if !shows {
            self.end(number, Some(pids));
        }
        Ok(match (shows, lowest) {
            (true, _) => LoweringOutcome::InForce(number),
            (false, Some(limit)) => LoweringOutcome::AlreadyLower(limit),
            (false, None) => LoweringOutcome::NoProcess,
        })
    }

    /// Ends a fault. `running` are the processes that run; where they could not be listed, those
    /// get their limits back that ran when a fault began.
    pub(crate) fn end(&mut self, number: u64, running: Option<&[i32]>) {
        let Some(place) = self.in_force.iter().position(|it| it.number == number) else {
            return;
        };
        let Lowered { limit, .. } = self.in_force.swap_remove(place);
        let highest = self.highest_before(limit);
        let known = self.before.keys().filter(|(other, _)| *other == limit);
        let known = known.map(|(_, pid)| *pid);
        let pids: Vec<i32> = running.map_or_else(|| known.collect(), <[i32]>::to_vec);
        for pid in pids {
            let before = self.before.get(&(limit, pid)).copied().or(highest);
            if let Some(soft) = self.least(limit, pid).or(before) {
                // A process that has ended needs no limit.
                let _ = set_soft_limit(pid, limit, soft);
            }
        }
        // The next fault finds limits that programs may have changed meanwhile.
        if !self.in_force.iter().any(|it| it.limit == limit) {
            self.before.retain(|(other, _), _| *other != limit);
        }
    }

    /// Returns the lowest limit that faults in force give to a process.
    fn least(&self, limit: ProcessLimit, pid: i32) -> Option<u64> {
        let those = self.in_force.iter().filter(|it| it.limit == limit);
        those.filter_map(|it| it.of(pid)).min()
    }

    /// Returns the highest limit that a process had before the first fault, which is what those
    /// have that were started since.
    fn highest_before(&self, limit: ProcessLimit) -> Option<u64> {
        let those = self.before.iter().filter(|((it, _), _)| *it == limit);
        those.map(|(_, before)| *before).max()
    }
}
