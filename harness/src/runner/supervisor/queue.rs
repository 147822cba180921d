//! The queue of trials that wait for their turn.
//!
//! Trials are not alike: some take the room of several, some must not run beside others of their
//! group, and some need the machine to themselves. And the kernel may refuse a sandbox for a
//! moment.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::kernel::errno::Errno;
use crate::sandbox::namespace_limits;
use crate::sandbox::refused::Refused;
use crate::trial::time_scale::stretched;
use crate::trial::{Trial, Weight};

/// Time for which the kernel may refuse sandboxes, for want of processes, memory or descriptors,
/// before that counts as an error.
const PATIENCE: Duration = Duration::from_secs(3);
/// Number of waiting trials among which one that fits is looked for, each time that a trial ends. A
/// limit keeps the work for ten thousand trials of one group from growing with their square.
const LOOK_AHEAD: usize = 1000;

/// Returns for how long a refusal like this is borne, if what is wanting may come back.
pub(crate) fn patience_with(refused: &Refused) -> Option<Duration> {
    let comes_back_soon = matches!(
        refused.errno,
        Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE
    );
    if comes_back_soon {
        return Some(stretched(PATIENCE));
    }
    namespace_limits::may_settle(refused).then(|| stretched(namespace_limits::PATIENCE))
}

/// The trials that wait for their turn, by index.
pub(crate) struct Queue {
    waiting: VecDeque<usize>,
    /// Weight that may run at a time.
    threads: usize,
    /// Time since which the kernel has refused every sandbox.
    refused_since: Option<Instant>,
    /// Time before which no trial starts.
    not_before: Option<Instant>,
    /// Whether somebody has been told that the run waits for the kernel.
    is_told: bool,
}

impl Queue {
    /// Makes a queue of the trials `0..count`, in that order.
    pub(crate) fn new(count: usize, threads: usize) -> Queue {
        Queue {
            waiting: (0..count).collect(),
            threads,
            refused_since: None,
            not_before: None,
            is_told: false,
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

    /// Returns, once in a run, that the kernel has refused every sandbox for so long that people
    /// begin to wonder.
    pub(crate) fn begins_to_be_long(&mut self) -> bool {
        let since = self.refused_since.map(|since| since.elapsed());
        let begins = !self.is_told && since.is_some_and(namespace_limits::is_long);
        self.is_told |= begins;
        begins
    }

    /// Notes that the kernel has given a sandbox.
    pub(crate) fn granted(&mut self) {
        self.refused_since = None;
    }

    /// Notes that the kernel has refused a sandbox while `others` run, for want of something that
    /// may come back, and puts the trial back. Returns false if that has gone on for longer than
    /// `patience`.
    pub(crate) fn try_again(&mut self, index: usize, others: usize, patience: Duration) -> bool {
        let now = Instant::now();
        let since = now - *self.refused_since.get_or_insert(now);
        if others == 0 && since >= patience {
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
    use crate::kernel::namespace::CloneFlags;
    use crate::sandbox::refused::{NewProcess, SetupStep};

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
        assert!(queue.try_again(0, 1, Duration::ZERO));
        assert!(queue.not_before().is_some());
        assert_eq!(queue.next(&[], |i| &trials[i]), None, "it is not time yet");
        queue.not_before = Some(Instant::now());
        assert_eq!(queue.next(&[], |i| &trials[i]), Some(0));
        assert_eq!(queue.next(&[&trials[4]], |i| &trials[i]), None);
    }

    #[test]
    fn a_refusal_that_goes_on_is_borne_for_longer_where_namespaces_are_wanting() {
        let refused = |errno| Refused {
            step: SetupStep::Clone(NewProcess::Sandbox, CloneFlags::CLONE_NEWNET),
            errno,
        };
        assert_eq!(patience_with(&refused(Errno::EPERM)), None);
        let short = patience_with(&refused(Errno::EAGAIN)).expect("processes come back");
        let long = patience_with(&refused(Errno::ENOSPC)).expect("namespaces come back");
        let mut queue = Queue::new(1, 1);
        assert!(queue.try_again(0, 0, short), "it has just begun");
        assert!(!queue.begins_to_be_long());
        queue.refused_since = Instant::now().checked_sub(2 * short);
        assert!(queue.try_again(0, 0, long));
        assert!(queue.begins_to_be_long() && !queue.begins_to_be_long());
        assert!(queue.try_again(0, 1, short), "another trial runs");
        assert!(!queue.try_again(0, 0, short));
        queue.granted();
        assert!(queue.try_again(0, 0, short), "it begins anew");
    }
}
