//! A meeting point.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::lab::error::{LabError, Result};

/// Where threads wait for each other, in whichever nodes they are; made by [`Lab::barrier`](crate::lab::Lab::barrier).
///
/// Unlike [`std::sync::Barrier`] it gives up when somebody does not come, and says who did.
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
    limit: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    round: usize,
    here: Vec<String>,
}

impl Barrier {
    pub(crate) fn new(count: usize, limit: Duration) -> Barrier {
        Barrier {
            count,
            limit,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Waits until all are here; `who` is what an error says of those who came. True for the one who came last.
    pub fn wait(&self, who: &str) -> Result<bool> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.here.push(who.to_owned());
        let round = state.round;
        if state.here.len() >= self.count {
            state.here.clear();
            state.round += 1;
            self.changed.notify_all();
            return Ok(true);
        }
        let waited = self
            .changed
            .wait_timeout_while(state, self.limit, |state| state.round == round);
        let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        match waited.timed_out() && state.round == round {
            false => Ok(false),
            true => {
                let what = format!("{} to meet", self.count);
                Err(LabError::timed_out(
                    what,
                    self.limit,
                    format!("only {} came", state.here.join(", ")),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_alone_gives_up_and_says_who_came() {
        let error = Barrier::new(2, Duration::from_millis(1))
            .wait("alice")
            .unwrap_err();
        assert!(error.to_string().ends_with("only alice came"), "{error}");
    }

    #[test]
    fn all_meet_round_after_round() {
        let barrier = Barrier::new(4, Duration::from_secs(10));
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
