//! What all parts of a lab know.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::events::Journal;
use crate::lab::bring_up::network::new_place;
use crate::lab::error::Result;
use crate::lab::faults::partition::Sieve;
use crate::lab::node::files::Place;
use crate::lab::node::visitors::Visitors;
use crate::lab::process::log::Pump;
use crate::observe::CaptureGuard;

/// One for each lab.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) place: Place,
    pub(crate) pump: Pump,
    pub(crate) visitors: Visitors,
    patience_ms: AtomicU64,
    /// The events of this lab.
    pub(crate) journal: Arc<Journal>,
    /// What the environment has asked for.
    pub(crate) captures: Mutex<Vec<CaptureGuard>>,
    backstage: Mutex<Option<Arc<OwnedFd>>>,
    /// Those of partitions.
    pub(crate) sieves: Mutex<Vec<Weak<Sieve>>>,
}

impl Shared {
    pub(crate) fn new() -> Result<Shared> {
        Ok(Shared {
            place: Place::new()?,
            pump: Pump::default(),
            visitors: Visitors::new()?,
            patience_ms: AtomicU64::new(10_000),
            journal: Journal::start(),
            captures: Mutex::default(),
            backstage: Mutex::new(None),
            sieves: Mutex::default(),
        })
    }

    /// The network namespace where the middles of links are, made for the first of them.
    pub(crate) fn backstage(&self) -> Result<Arc<OwnedFd>> {
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

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn set_patience(&self, limit: Duration) {
        let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.patience_ms.store(ms, Ordering::Relaxed);
    }
}
