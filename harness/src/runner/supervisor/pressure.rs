//! The time for which threads of this machine have waited for a processor, and what a result is
//! worth after that.

use std::time::{Duration, Instant};

use crate::model::starved::{Starved, waited};
use crate::runner::result::TrialResult;

/// Shortest time between two reads of the kernel's count. A trial takes about a millisecond, and a
/// read some microseconds.
///
/// Each read makes the kernel add up what it has counted since the read before, weighted by the
/// whole ticks of that time (kernel/sched/psi.c, `collect_percpu_times`). With reads less than a
/// tick apart nearly all is lost: a reader every 3 ms left 5 % of the waiting, one every 5 ms left
/// all, at 250 ticks a second (measured for this project, 2026-12). So starts of nextest that
/// follow each other so fast hide that the machine is starved.
const READ_INTERVAL: Duration = Duration::from_millis(20);

/// The kernel's count, as it was read last.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    last: Option<(Instant, Option<Duration>)>,
}

impl Pressure {
    /// Returns the time that threads have waited since the machine was started; nothing where the
    /// kernel does not count it (CONFIG_PSI).
    pub(crate) fn waited(&mut self) -> Option<Duration> {
        let now = Instant::now();
        match self.last {
            Some((at, waited)) if now - at < READ_INTERVAL => waited,
            _ => {
                let text = std::fs::read_to_string("/proc/pressure/cpu").ok();
                let waited = text.as_deref().and_then(waited);
                self.last = Some((now, waited));
                waited
            }
        }
    }

    /// Returns the result of a trial that has just ended and began when threads had waited for so
    /// long; and a sentence if the machine was starved for most of that time, and the result may
    /// come from that.
    pub(crate) fn judge(
        &mut self,
        result: TrialResult,
        wants_no_verdict: bool,
        before: Option<Duration>,
        took: Duration,
    ) -> (TrialResult, Option<String>) {
        let starved = match &result {
            TrialResult::Passed if !wants_no_verdict => None,
            TrialResult::Ignored(_) => None,
            TrialResult::Passed | TrialResult::Failed(_) => self.starved(before, took),
        };
        match &starved {
            Some(sentence) if wants_no_verdict => (result.inconclusive(sentence), starved),
            Some(_) | None => (result, starved),
        }
    }

    fn starved(&mut self, before: Option<Duration>, took: Duration) -> Option<String> {
        let waited = self.waited()?.saturating_sub(before?);
        Starved::judge(waited, took).map(|starved| starved.to_string())
    }
}
