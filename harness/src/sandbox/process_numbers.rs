//! Process numbers that tell the trials and nodes of a run apart.
//!
//! In a new PID namespace the kernel counts from 1, so that every test body would be process 2, and
//! so would the first program of every node. Names of files that are made of a process number would
//! then collide wherever trials share a directory. So each trial and each node of a run counts from
//! a number of its own, as far apart as the kernel's largest number allows.
//!
//! The numbers form a circle, on which the kernel also begins anew at the end (`kernel/pid.c`,
//! `alloc_pid`). A run begins somewhere on it, each trial has an equal share, and in a share the
//! body and the nodes lie one behind the other.

use crate::kernel::process::NumberCounter;
use crate::sandbox::refused::{Doing, Refused};

/// Smallest number that the kernel gives again after the largest (`kernel/pid.c`, `RESERVED_PIDS`).
const LOWEST: u32 = 300;

/// Largest number plus one, where the kernel does not tell: `PID_MAX_DEFAULT` of `linux/threads.h`.
const USUAL_END: u32 = 0x8000;

/// Numbers of a run that has one trial: as many other runs find room on the circle, for under
/// nextest and under the standard harness each trial is a run.
const RUNS: u32 = 4096;

/// Numbers that a body or a node has for itself, at least and at most.
const ROOM: (u32, u32) = (8, 1024);

/// Places for a body or a node in the share of a trial.
const PLACES: u32 = 64;

/// Places that a body has, which may start threads and programs beside the nodes.
const OF_BODY: u32 = 4;

/// The process numbers of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunNumbers {
    /// Count of numbers in the circle.
    circle: u32,
    /// Place of the first trial on the circle.
    start: u32,
    /// Count of numbers for each trial.
    share: u32,
    /// The run has one trial, whose index is of no account.
    is_lone: bool,
}

/// The process numbers of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrialNumbers {
    circle: u32,
    start: u32,
    /// Count of numbers for each body or node.
    room: u32,
}

impl RunNumbers {
    /// Divides the numbers below `end` among the `trials` of the run of this supervisor.
    pub(crate) fn divide(end: Option<u32>, supervisor: u32, trials: usize) -> Self {
        let end = end.unwrap_or(USUAL_END);
        let circle = end.saturating_sub(LOWEST).max(1);
        let is_lone = trials <= 1;
        let start = start_of(supervisor, circle);
        let shares = if is_lone {
            RUNS
        } else {
            u32::try_from(trials).unwrap_or(u32::MAX)
        };
        Self {
            circle,
            start,
            share: (circle / shares).max(1),
            is_lone,
        }
    }

    /// Returns the numbers of a run of as many trials that has another supervisor.
    pub(crate) fn under(self, supervisor: u32) -> Self {
        Self {
            start: start_of(supervisor, self.circle),
            ..self
        }
    }

    /// Returns the numbers of the trial that has this share.
    pub(crate) fn of_trial(self, share: u32) -> TrialNumbers {
        let before = if self.is_lone { 0 } else { share };
        let start = u64::from(self.start) + u64::from(before) * u64::from(self.share);
        let (least, most) = ROOM;
        TrialNumbers {
            circle: self.circle,
            start: (start % u64::from(self.circle)) as u32,
            room: (self.share / PLACES).clamp(least, most),
        }
    }
}

/// Returns the place of the run of this supervisor on the circle.
fn start_of(supervisor: u32, circle: u32) -> u32 {
    // Multiples of the golden ratio lie as far apart on a circle as points can that come one after
    // the other (Knuth, The Art of Computer Programming 3, section 6.4, theorem S). Runs whose
    // supervisors have consecutive numbers lie as far apart.
    const GOLDEN: u32 = 0x9E37_79B9;
    let turn = u64::from(supervisor.wrapping_mul(GOLDEN));
    ((turn * u64::from(circle)) >> 32) as u32
}

impl TrialNumbers {
    /// Returns the number of the test body.
    pub(crate) fn of_body(self) -> u32 {
        self.at(0)
    }

    /// Returns the number of the first program of a node, the `nth` that the trial makes.
    pub(crate) fn of_node(self, nth: u32) -> u32 {
        self.at(u64::from(OF_BODY) + u64::from(nth))
    }

    fn at(self, place: u64) -> u32 {
        let way = u64::from(self.start) + place * u64::from(self.room);
        LOWEST + (way % u64::from(self.circle)) as u32
    }
}

/// Makes the calling process's PID namespace, of which that process is the first, go on with
/// `number`.
pub(crate) fn count_from(counter: Option<&NumberCounter>, number: u32) -> Result<(), Refused> {
    match counter {
        Some(counter) => counter.go_on_with(number).doing("number the processes"),
        // A kernel without CONFIG_CHECKPOINT_RESTORE counts as ever.
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Returns how often a number is given twice, where each trial has so many nodes.
    fn collisions(runs: &[RunNumbers], trials: u32, nodes: u32) -> usize {
        let mut taken = HashSet::new();
        let numbers = runs.iter().flat_map(|run| {
            (0..trials).flat_map(move |index| {
                let trial = run.of_trial(index);
                let of_nodes = (0..nodes).map(move |nth| trial.of_node(nth));
                [trial.of_body()].into_iter().chain(of_nodes)
            })
        });
        numbers.filter(|number| !taken.insert(*number)).count()
    }

    #[test]
    fn trials_and_nodes_of_a_run_have_numbers_of_their_own() {
        for (end, trials, nodes) in [
            (1 << 22, 10_000, 8),
            (1 << 22, 1000, 60),
            (1 << 22, 2, 2000),
            (1 << 15, 1000, 0),
            (1 << 15, 64, 50),
            (1 << 15, 300, 8),
        ] {
            let run = RunNumbers::divide(Some(end), 4711, trials as usize);
            assert_eq!(
                collisions(&[run], trials, nodes),
                0,
                "{end} {trials} {nodes}"
            );
        }
    }

    #[test]
    fn runs_of_one_trial_have_numbers_of_their_own() {
        let runs = |end, count: u32, step: u32| -> Vec<RunNumbers> {
            let supervisors = (0..count).map(|nth| 9000 + nth * step);
            supervisors
                .map(|supervisor| RunNumbers::divide(Some(end), supervisor, 1))
                .collect()
        };
        assert_eq!(collisions(&runs(1 << 22, 1000, 7), 1, 0), 0);
        let first = RunNumbers::divide(Some(1 << 22), 1, 1);
        assert_eq!(first.under(9007), runs(1 << 22, 2, 7)[1]);
        assert_eq!(collisions(&runs(1 << 22, 1000, 6), 1, 8), 0);
        assert_eq!(collisions(&runs(1 << 15, 1000, 5), 1, 0), 0);
    }

    #[test]
    fn every_number_is_one_that_the_kernel_gives() {
        for end in [None, Some(301), Some(400), Some(1 << 15), Some(1 << 22)] {
            for (supervisor, trials) in [(1, 1), (u32::MAX, 7), (1 << 22, usize::MAX)] {
                let trial = RunNumbers::divide(end, supervisor, trials).of_trial(u32::MAX);
                for number in [trial.of_body(), trial.of_node(0), trial.of_node(u32::MAX)] {
                    assert!(number >= LOWEST, "{number}");
                    assert!(number < end.unwrap_or(USUAL_END), "{number} of {end:?}");
                }
            }
        }
    }
}
