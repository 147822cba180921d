//! A link that is worse than asked, for as long as a guard lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::impair::Impairment;
use crate::kernel::sync::Lock;
use crate::lab::error::{LabError, Result};
use crate::lab::faults::guard::{Healing, complain};
use crate::lab::link::ends::LinkEnds;
use crate::lab::link::state::LinkState;

/// A link that is worse for as long as this lives.
#[derive(Debug)]
pub(crate) struct Degraded {
    /// Nothing once the link has recovered.
    state: Option<Arc<Lock<LinkState>>>,
    /// The number by which the link knows the degradation.
    number: u64,
}

impl Degraded {
    /// Makes a link worse in both directions.
    pub(crate) fn new(
        ends: &LinkEnds,
        state: &Arc<Lock<LinkState>>,
        worse: Impairment,
    ) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Several guards may have equal impairments; each takes its own away.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        worse
            .validate()
            .map_err(|wrong| LabError::invalid_value(ends.subject(), None, wrong))?;
        state.lock().degrade(number, worse)?;
        Ok(Self {
            state: Some(Arc::clone(state)),
            number,
        })
    }

    fn end(&mut self) -> Result<()> {
        let Some(state) = self.state.take() else {
            return Ok(());
        };
        let mut state = state.lock();
        if state.is_removed() {
            return Ok(());
        }
        state.recover(self.number)
    }
}

impl Healing for Degraded {
    fn heal(mut self: Box<Self>) -> Result<()> {
        self.end()
    }
}

impl Drop for Degraded {
    fn drop(&mut self) {
        complain(self.end());
    }
}
