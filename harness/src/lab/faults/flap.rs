//! A link that is cut and healed by turns, for as long as a guard lives.

use std::sync::Arc;
use std::time::Duration;

use crate::impair::Direction;
use crate::kernel::sync::Lock;
use crate::lab::error::{LabError, Result};
use crate::lab::faults::cut::Cut;
use crate::lab::faults::guard::FaultThread;
use crate::lab::link::ends::LinkEnds;
use crate::lab::link::state::LinkState;
use crate::lab::unfit::UnfitLink;
use crate::model::fault::Fault;

/// Cuts a link for the first half of each period, until the result is dropped.
pub(crate) fn flap(
    ends: &LinkEnds,
    state: &Arc<Lock<LinkState>>,
    period: Duration,
) -> Result<FaultThread> {
    if period < Fault::SHORTEST_FLAP {
        let reason = UnfitLink::FlapTooFast(period);
        return Err(LabError::unfit(ends.subject(), reason));
    }
    // The first cut is made here, since an error on the thread would reach nobody.
    let first = Cut::new(state, &Direction::BOTH)?;
    let state = Arc::clone(state);
    FaultThread::start("flap", "flaps a link", move |is_over| {
        let mut cut = Some(first);
        while !is_over(period / 2) {
            cut = match cut.take() {
                Some(cut) => {
                    drop(cut);
                    None
                }
                None => match Cut::new(&state, &Direction::BOTH) {
                    Ok(cut) => Some(cut),
                    // The link was removed from the lab: nothing is left to flap.
                    Err(_) => return,
                },
            };
        }
    })
}
