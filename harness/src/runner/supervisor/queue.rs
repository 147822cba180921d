//! The queue of trials that wait for their turn.
//!
//! Trials are not alike: some take the room of several, some must not run beside others of their
//! group, and some need the machine to themselves. And the kernel may refuse a sandbox for a
//! moment.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::trial::time_scale::stretched;
use crate::trial::{Trial, Weight};

/// Time for which the kernel may refuse sandboxes before that counts as an error. The kernel frees
/// namespaces some time after their last process has gone.
const PATIENCE: Duration = Duration::from_secs(3);
/// Number of waiting trials among which one that fits is looked for, each time that a trial ends. A
/// limit keeps the work for ten thousand trials of one group from growing with their square.
const LOOK_AHEAD: usize = 1000;

/// The trials that wait for their turn, by index.
pub(crate) struct Queue {
    waiting: VecDeque<usize>,
    /// Weight that may run at a time.
    threads: usize,
    /// Time since which the kernel has refused every sandbox.
    refused_since: Option<Instant>,
    /// Time before which no trial starts.
    not_before: Option<Instant>,
}

impl Queue {
    /// Makes a queue of the trials `0..count`, in that order.
    pub(crate) fn new(count: usize, threads: usize) -> Queue {
        Queue {
            waiting: (0..count).collect(),
            threads,
            refused_since: None,
            not_before: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the time at which the kernel may be asked again, if it has refused a sandbox.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// Takes out the first trial that fits beside the active ones, if a trial may start now.
    pub(crate) fn next<'t>(
        &mut self,
        active: &[&Trial],
        trial: impl Fn(usize) -> &'t Trial,
    ) -> Option<usize> {
        if self.not_before.is_some_and(|time| Instant::now() < time) {
            return None;
        }
        self.not_before = None;
        let position = self.fitting(active, trial)?;
        self.waiting.remove(position)
    }

    /// Returns the position of the first trial that fits.
    fn fitting<'t>(&self, active: &[&Trial], trial: impl Fn(usize) -> &'t Trial) -> Option<usize> {
        let alone = |trial: &&Trial| trial.options().weight == Weight::Machine;
        if active.iter().any(alone) {
            return None;
        }
        let weight = |trial: &Trial| match trial.options().weight {
            // A trial that wants more than there is would otherwise never run.
            Weight::Threads(n) => n.min(self.threads),
            Weight::Machine => self.threads,
        };
        let taken: usize = active.iter().map(|trial| weight(trial)).sum();
        if taken >= self.threads {
            return None;
        }
        let groups: HashSet<&str> = active
            .iter()
            .filter_map(|trial| trial.options().group)
            .collect();
        // Trials that fit go ahead of others that do not, or the queue would stand still while one
        // trial waits for its group.
        self.waiting.iter().take(LOOK_AHEAD).position(|index| {
            let trial = trial(*index);
            let group = trial.options().group;
            taken + weight(trial) <= self.threads
                && !group.is_some_and(|group| groups.contains(group))
        })
    }

    /// Puts a trial back to the front.
    pub(crate) fn put_back(&mut self, index: usize) {
        self.waiting.push_front(index);
    }

    /// Puts a trial, of which one more copy is to run, behind all others, unless it waits already.
    pub(crate) fn put_behind(&mut self, index: usize) {
        if !self.waiting.contains(&index) {
            self.waiting.push_back(index);
        }
    }

    /// Notes that the kernel has given a sandbox.
    pub(crate) fn granted(&mut self) {
        self.refused_since = None;
    }

    /// Notes that the kernel has refused a sandbox while `others` run, for want of something that
    /// may come back, and puts the trial back. Returns false if that has gone on for too long.
    pub(crate) fn try_again(&mut self, index: usize, others: usize) -> bool {
        let now = Instant::now();
        let since = now - *self.refused_since.get_or_insert(now);
        if others == 0 && since >= stretched(PATIENCE) {
            return false;
        }
        self.put_back(index);
        // The system can bear the trials that run now, but not one more.
        if others > 0 {
            self.threads = others;
        }
        let pause = since.clamp(Duration::from_millis(5), Duration::from_millis(200));
        self.not_before = Some(now + pause);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    fn trials() -> Vec<Trial> {
        let trial =
            |name: &str, options| Trial::test(name, || Ok::<(), String>(())).with_options(options);
        vec![
            trial("a", Options::NEW.group("db")),
            trial("b", Options::NEW.group("db")),
            trial("c", Options::NEW.threads(2)),
            trial("d", Options::NEW.exclusive()),
            trial("e", Options::NEW),
        ]
    }

    #[test]
    fn a_group_runs_one_at_a_time_and_others_go_ahead() {
        let trials = trials();
        let mut queue = Queue::new(5, 3);
        assert_eq!(queue.next(&[], |i| &trials[i]), Some(0));
        assert_eq!(queue.next(&[&trials[0]], |i| &trials[i]), Some(2));
        assert_eq!(queue.next(&[&trials[0], &trials[2]], |i| &trials[i]), None);
        assert_eq!(queue.next(&[&trials[2]], |i| &trials[i]), Some(1));
    }

    #[test]
    fn what_needs_the_machine_runs_alone() {
        let trials = trials();
        let mut queue = Queue::new(5, 3);
        assert_eq!(queue.next(&[&trials[3]], |i| &trials[i]), None);
        for _ in 0..3 {
            queue.next(&[], |i| &trials[i]);
        }
        assert_eq!(queue.next(&[&trials[0]], |i| &trials[i]), Some(4));
        assert_eq!(queue.next(&[&trials[0]], |i| &trials[i]), None);
        assert_eq!(queue.next(&[], |i| &trials[i]), Some(3));
    }

    #[test]
    fn a_refusal_makes_it_wait_and_do_less_at_a_time() {
        let trials = trials();
        let mut queue = Queue::new(5, 3);
        assert_eq!(queue.next(&[], |i| &trials[i]), Some(0));
        assert!(queue.try_again(0, 1));
        assert!(queue.not_before().is_some());
        assert_eq!(queue.next(&[], |i| &trials[i]), None, "it is not time yet");
        queue.not_before = Some(Instant::now());
        assert_eq!(queue.next(&[], |i| &trials[i]), Some(0));
        assert_eq!(queue.next(&[&trials[4]], |i| &trials[i]), None);
    }
}
