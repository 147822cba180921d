//! Services that all links of a lab share.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

use crate::events::Journal;
use crate::kernel::sync::Lock;
use crate::lab::error::Result;
use crate::lab::stack::namespace::new_namespace;
use crate::lab::stack::power::PluggedCable;
use crate::trial::patience::Patience;

/// The wire namespace of one lab, its events, the limit of waits, and its cables. Clones share all
/// of them.
#[derive(Clone, Debug)]
pub(crate) struct LinkServices {
    wire_namespace: Arc<WireNamespace>,
    journal: Arc<Journal>,
    patience: Patience,
    /// All cables of the lab, removed ones too.
    cables: Arc<Lock<Vec<Weak<dyn PluggedCable>>>>,
}

impl LinkServices {
    pub(crate) fn new(journal: Arc<Journal>, patience: Patience) -> Self {
        Self {
            wire_namespace: Arc::default(),
            journal,
            patience,
            cables: Arc::default(),
        }
    }

    /// Notes a cable of the lab.
    pub(crate) fn add_cable(&self, cable: &Arc<dyn PluggedCable>) {
        self.cables.lock().push(Arc::downgrade(cable));
    }

    /// Returns all cables of the lab.
    pub(crate) fn cables(&self) -> Vec<Arc<dyn PluggedCable>> {
        self.cables
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }

    pub(crate) fn wire_namespace(&self) -> &WireNamespace {
        &self.wire_namespace
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }
}

/// The network namespace in which impaired links have their inner ends; no node sees it.
///
/// Most labs have plain links only. So the namespace is made when the first link needs it.
#[derive(Debug, Default)]
pub(crate) struct WireNamespace {
    made: Lock<Option<Arc<OwnedFd>>>,
}

impl WireNamespace {
    /// Returns the namespace, made if there is none yet.
    pub(crate) fn get(&self) -> Result<Arc<OwnedFd>> {
        // The lock is held while the namespace is made: two links must not make one each.
        let mut made = self.made.lock();
        match &*made {
            Some(namespace) => Ok(Arc::clone(namespace)),
            None => {
                // One namespace for all links of the lab: each costs 0.4 to 0.5 ms (measured for
                // this project, 2026-08).
                let namespace = Arc::new(new_namespace("the wire namespace of the lab")?);
                Ok(Arc::clone(made.insert(namespace)))
            }
        }
    }
}
