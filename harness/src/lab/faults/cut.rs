//! The cut of a link, for as long as a guard lives.

use std::sync::Arc;

use crate::impair::Direction;
use crate::kernel::sync::Lock;
use crate::lab::error::Result;
use crate::lab::faults::guard::{Healing, complain};
use crate::lab::link::state::LinkState;

/// A link that is cut for as long as this lives.
#[derive(Debug)]
pub(crate) struct Cut {
    state: Arc<Lock<LinkState>>,
    directions: Vec<Direction>,
}

impl Cut {
    /// Cuts some directions of a link.
    pub(crate) fn new(state: &Arc<Lock<LinkState>>, directions: &[Direction]) -> Result<Self> {
        let mut cut = Self {
            state: Arc::clone(state),
            directions: Vec::new(),
        };
        for direction in directions {
            // A direction that cannot be cut drops the guard, which heals those before it.
            state.lock().cut(*direction)?;
            cut.directions.push(*direction);
        }
        Ok(cut)
    }

    fn end(&mut self) -> Result<()> {
        // Healed once: by `heal`, or by the drop.
        let directions = std::mem::take(&mut self.directions);
        let mut state = self.state.lock();
        // Each direction is healed even if another one could not be.
        let healed = directions
            .into_iter()
            .map(|direction| state.heal(direction));
        healed.fold(Ok(()), Result::and)
    }
}

impl Healing for Cut {
    fn heal(mut self: Box<Self>) -> Result<()> {
        self.end()
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        complain(self.end());
    }
}
