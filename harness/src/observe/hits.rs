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
    wait_for_hits_by(book, rule, wanted, Instant::now() + limit, limit)
}

/// Waits as [`wait_for_hits`] does, and lets other futures run meanwhile.
///
/// # Errors
/// `limit` has passed, or a closure of the rule's match has panicked.
#[cfg(feature = "tokio")]
pub(super) async fn wait_for_hits_async(
    book: &RuleBook,
    rule: &Rule,
    wanted: u64,
    limit: Duration,
) -> Result<()> {
    let wait = |now| wait_for_hits_by(book, rule, wanted, now, limit);
    crate::attempts::attempts(limit, super::error::ObserveError::is_timeout, wait).await
}

/// Waits until `deadline`. An error names `limit` as the time that has passed.
fn wait_for_hits_by(
    book: &RuleBook,
    rule: &Rule,
    wanted: u64,
    deadline: Instant,
    limit: Duration,
) -> Result<()> {
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
                others: state.unpicked,
                last_others: state.recent_unpicked.iter().cloned().collect(),
            });
            return Err(failure.into());
        }
        let waited = rule.changed.wait_timeout(state, left);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}
