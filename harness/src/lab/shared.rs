//! What all parts of a lab know.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::error::Result;
use super::faults::Sieve;
use super::log::Pump;
use super::network::new_place;
use super::place::Place;
use super::visitors::Visitors;
use crate::observe::CaptureGuard;

/// One for each lab.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) place: Place,
    pub(super) pump: Pump,
    pub(super) visitors: Visitors,
    patience_ms: AtomicU64,
    /// What the environment has asked for.
    pub(super) captures: Mutex<Vec<CaptureGuard>>,
    backstage: Mutex<Option<Arc<OwnedFd>>>,
    /// Those of partitions.
    pub(super) sieves: Mutex<Vec<Weak<Sieve>>>,
}

impl Shared {
    pub(super) fn new() -> Result<Shared> {
        Ok(Shared {
            place: Place::new()?,
            pump: Pump::default(),
            visitors: Visitors::new()?,
            patience_ms: AtomicU64::new(10_000),
            captures: Mutex::default(),
            backstage: Mutex::new(None),
            sieves: Mutex::default(),
        })
    }

    /// The network namespace where the middles of links are, made for the first of them.
    pub(super) fn backstage(&self) -> Result<Arc<OwnedFd>> {
        let mut backstage = self
            .backstage
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(backstage) = &*backstage {
            return Ok(Arc::clone(backstage));
        }
        let made = Arc::new(new_place("the middles of links")?);
        *backstage = Some(Arc::clone(&made));
        Ok(made)
    }

    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms.load(Ordering::Relaxed))
    }

    pub(super) fn set_patience(&self, limit: Duration) {
        let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.patience_ms.store(ms, Ordering::Relaxed);
    }
}
