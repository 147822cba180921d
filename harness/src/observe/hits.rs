//! Waiting for packets that a rule picks, with an error that shows which packets came instead.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::error::{ObserveFailure, Result, Wait};
use crate::model::rules::{Rule, RuleBook};

/// Waits until a rule has picked `wanted` packets.
///
/// # Errors
/// `limit` has passed, or a closure of the rule's match has panicked.
pub(super) fn wait_for_hits(
    book: &RuleBook,
    rule: &Rule,
    wanted: u64,
    limit: Duration,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut state = rule.state();
    loop {
        // A rule whose closure has panicked picks nothing any more: no use in waiting for it.
        if let Some(message) = &state.panic {
            let failure = ObserveFailure::RulePanicked {
                matching: rule.matching.to_string(),
                link: book.link().to_owned(),
                message: message.clone(),
            };
            return Err(failure.into());
        }
        if state.hits >= wanted {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let failure = ObserveFailure::TimedOut(Wait {
                matching: rule.matching.to_string(),
                link: book.link().to_owned(),
                limit,
                wanted,
                came: state.hits,
                others: state.passed_by,
                last_others: state.bystanders.iter().cloned().collect(),
            });
            return Err(failure.into());
        }
        let waited = rule.changed.wait_timeout(state, left);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}
