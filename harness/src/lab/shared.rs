//! What all parts of a lab know.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::error::Result;
use super::log::Pump;
use super::place::Place;
use crate::observe::CaptureGuard;

/// One for each lab.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) place: Place,
    pub(super) pump: Pump,
    patience_ms: AtomicU64,
    /// What the environment has asked for.
    pub(super) captures: Mutex<Vec<CaptureGuard>>,
}

impl Shared {
    pub(super) fn new() -> Result<Shared> {
        Ok(Shared {
            place: Place::new()?,
            pump: Pump::default(),
            patience_ms: AtomicU64::new(10_000),
            captures: Mutex::default(),
        })
    }

    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms.load(Ordering::Relaxed))
    }

    pub(super) fn set_patience(&self, limit: Duration) {
        let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.patience_ms.store(ms, Ordering::Relaxed);
    }
}
