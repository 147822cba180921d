//! How long waits of a lab last before they fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::trial::time_scale::stretched;

/// The limit of all waits in a lab, which a test can change. Clones share one limit.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    nanoseconds: Arc<AtomicU64>,
}

impl Patience {
    /// Makes a limit that is not that of a lab.
    pub(crate) fn of(limit: Duration) -> Self {
        let patience = Self::default();
        patience.set(limit);
        patience
    }

    /// Returns the limit at present, stretched on a slow machine.
    pub(crate) fn limit(&self) -> Duration {
        stretched(Duration::from_nanos(
            self.nanoseconds.load(Ordering::Relaxed),
        ))
    }

    /// Changes the limit of waits that begin from now on.
    pub(crate) fn set(&self, limit: Duration) {
        // The longest limit is 584 years.
        let nanoseconds = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.store(nanoseconds, Ordering::Relaxed);
    }
}

/// The end of a wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    /// Time at which the wait is in vain.
    pub(crate) at: Instant,
    /// Time that has passed by then, as an error names it.
    pub(crate) limit: Duration,
}

impl Deadline {
    /// Returns the end of a wait that begins now.
    pub(crate) fn after(limit: Duration) -> Self {
        Self {
            at: Instant::now() + limit,
            limit,
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            nanoseconds: Arc::new(AtomicU64::new(10_000_000_000)),
        }
    }
}
