//! A meeting point.

use std::time::Instant;

use crate::kernel::sync::{Lock, Notifier};
use crate::lab::error::{LabError, Result};
use crate::trial::patience::Patience;

/// A meeting point of threads or futures, in whichever nodes they are; made by
/// [`Lab::barrier`](crate::lab::Lab::barrier).
///
/// Unlike [`std::sync::Barrier`], this barrier gives up when a thread does not come, and says which
/// did.
///
/// ```no_run
/// # #[snowglobe::test]
/// # fn t() -> snowglobe::TestResult {
/// # let lab = snowglobe::topology::shape::pair().start()?;
/// let barrier = lab.barrier(2);
/// std::thread::scope(|scope| {
///     for node in lab.nodes() {
///         let barrier = &barrier;
///         scope.spawn(move || node.run(|| barrier.wait(node.name())));
///     }
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Barrier {
    count: usize,
    patience: Patience,
    state: Lock<BarrierState>,
    changed: Notifier,
}

#[derive(Debug, Default)]
struct BarrierState {
    round: usize,
    here: Vec<String>,
}

impl Barrier {
    pub(crate) fn new(count: usize, patience: Patience) -> Barrier {
        Barrier {
            count,
            patience,
            state: Lock::default(),
            changed: Notifier::new(),
        }
    }

    /// Waits until all threads are here, and returns whether this thread was the last. An error
    /// calls those who came by the name `who` of each.
    ///
    /// # Errors
    /// Not all threads come in time.
    pub fn wait(&self, who: &str) -> Result<bool> {
        let Some(round) = self.arrive(who) else {
            return Ok(true);
        };
        self.await_others(round, Instant::now() + self.patience.limit())?;
        Ok(false)
    }

    /// Waits until all are here, as [`wait`](Barrier::wait) does, and lets other futures run
    /// meanwhile: tasks of one runtime can meet each other, and threads.
    ///
    /// # Errors
    /// Not all come in time.
    ///
    /// # Panics
    /// There is no tokio runtime around.
    #[cfg(feature = "tokio")]
    pub async fn wait_async(&self, who: &str) -> Result<bool> {
        let Some(round) = self.arrive(who) else {
            return Ok(true);
        };
        let wait = |now| self.await_others(round, now);
        crate::attempts::attempts(self.patience.limit(), LabError::is_timeout, wait).await?;
        Ok(false)
    }

    /// Counts somebody in. Returns the round whose end is to be waited for, unless this was the
    /// last who came.
    fn arrive(&self, who: &str) -> Option<usize> {
        let mut state = self.state.lock();
        state.here.push(who.to_owned());
        // A thread that comes late in a round must not be let through by the next.
        let round = state.round;
        if state.here.len() >= self.count {
            // The next round begins: a barrier is used again and again.
            state.here.clear();
            state.round += 1;
            self.changed.notify_all();
            return None;
        }
        Some(round)
    }

    fn await_others(&self, round: usize, deadline: Instant) -> Result<()> {
        let mut state = self.state.lock();
        // A wake-up is no proof that the round is over: threads also wake without a reason
        // (pthread_cond_wait(3p)).
        while state.round == round {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let what = format!("{} to meet", self.count);
                let came = format!("only {} came", state.here.join(", "));
                return Err(LabError::timed_out(what, self.patience.limit(), came));
            }
            state = self.changed.wait_timeout(state, left);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_waits_alone_gives_up_and_says_who_came() {
        let error = Barrier::new(2, Patience::of(Duration::from_millis(1)))
            .wait("alice")
            .unwrap_err();
        assert!(error.to_string().ends_with("only alice came"), "{error}");
    }

    #[test]
    fn all_meet_round_after_round() {
        let barrier = Barrier::new(4, Patience::default());
        let last: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    scope.spawn({
                        let barrier = &barrier;
                        move || {
                            (0..10)
                                .filter(|_| barrier.wait(&n.to_string()).unwrap())
                                .count()
                        }
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(last, 10);
    }
}
