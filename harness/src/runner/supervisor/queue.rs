//! Which trial is next, and when.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::trial::{Trial, Weight};

/// How long the kernel may go on refusing namespaces, which it gives back late, before it counts.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many of those that wait are looked at for one that fits.
const LOOK_AHEAD: usize = 1000;

/// The trials that wait for their turn, by index.
pub(super) struct Queue {
    waiting: VecDeque<usize>,
    /// How much weight may run at a time.
    threads: usize,
    refused_since: Option<Instant>,
    not_before: Option<Instant>,
}

impl Queue {
    /// Trials `0..count`, in that order.
    pub(super) fn new(count: usize, threads: usize) -> Queue {
        Queue {
            waiting: (0..count).collect(),
            threads,
            refused_since: None,
            not_before: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the kernel is to be asked again, if it has refused something.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// The first that fits beside those that are active, if it is time for one.
    pub(super) fn next<'t>(
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

    fn fitting<'t>(&self, active: &[&Trial], trial: impl Fn(usize) -> &'t Trial) -> Option<usize> {
        let alone = |trial: &&Trial| trial.options().weight == Weight::Machine;
        if active.iter().any(alone) {
            return None;
        }
        let weight = |trial: &Trial| match trial.options().weight {
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
        self.waiting.iter().take(LOOK_AHEAD).position(|index| {
            let trial = trial(*index);
            let group = trial.options().group;
            taken + weight(trial) <= self.threads
                && !group.is_some_and(|group| groups.contains(group))
        })
    }

    /// It is first in line again.
    pub(super) fn put_back(&mut self, index: usize) {
        self.waiting.push_front(index);
    }

    /// The kernel has given a sandbox.
    pub(super) fn granted(&mut self) {
        self.refused_since = None;
    }

    /// The kernel has not given a sandbox, for want of something that may come back, while so many
    /// others run. False if that has gone on for too long.
    pub(super) fn try_again(&mut self, index: usize, others: usize) -> bool {
        let now = Instant::now();
        let since = now - *self.refused_since.get_or_insert(now);
        if others == 0 && since >= PATIENCE {
            return false;
        }
        self.put_back(index);
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
