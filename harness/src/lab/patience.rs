//! How long waits of a lab last before they fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The limit of all waits in a lab, which a test can change. Clones share one limit.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    ms: Arc<AtomicU64>,
}

impl Patience {
    /// Returns the limit at present.
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_millis(self.ms.load(Ordering::Relaxed))
    }

    /// Changes the limit of waits that begin from now on.
    pub(crate) fn set(&self, limit: Duration) {
        let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.ms.store(ms, Ordering::Relaxed);
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            ms: Arc::new(AtomicU64::new(10_000)),
        }
    }
}
