//! A packet that a test waits for, remembered from before the program is started that sends it.

use std::sync::Arc;
use std::time::Duration;

use super::error::Result;
use super::hits::wait_for_hits;
#[cfg(feature = "tokio")]
use super::hits::wait_for_hits_async;
use crate::model::packet::Packet;
use crate::model::rules::{Match, Rule, RuleBook, Verdict};
use crate::trial::time_scale::stretched;

/// A packet that a test expects on a link, from the making of this value on.
///
/// ```no_run
/// use snowglobe::prelude::*;
/// # use snowglobe::observe::Expectation;
/// # fn t(expected: Expectation) -> TestResult {
/// // let expected = lab[link].expect(tcp().port(80).syn())?;
/// // … start what should connect …
/// let syn = expected.within(Duration::from_secs(2))?;
/// assert_eq!(syn.destination_port(), Some(80));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an expectation is checked by `within`"]
pub struct Expectation {
    book: Arc<RuleBook>,
    rule: Arc<Rule>,
}

impl Expectation {
    /// Begins to look for the packet.
    ///
    /// # Errors
    /// No packet can ever match.
    pub(crate) fn new(book: &Arc<RuleBook>, matching: Match) -> Result<Self> {
        // The rule lets packets pass, and so sees every packet, whatever other rules decide.
        Ok(Self {
            rule: book.add(matching, Verdict::Pass)?,
            book: Arc::clone(book),
        })
    }

    /// Returns the packet, if it was seen since the expectation was made. Otherwise waits for the
    /// packet until `limit` has passed.
    ///
    /// A packet is seen where it enters the link: one that the link then loses was seen too.
    ///
    /// # Errors
    /// The packet did not come in time; the error shows the last packets that were seen instead.
    /// Or a closure of the match has panicked.
    pub fn within(&self, limit: Duration) -> Result<Packet> {
        wait_for_hits(&self.book, &self.rule, 1, stretched(limit))?;
        let state = self.rule.state();
        Ok(state.events.front().cloned().expect("a hit is an event"))
    }

    /// Returns the packet as [`within`](Expectation::within) does, and lets other futures run
    /// meanwhile.
    ///
    /// # Errors
    /// The packet did not come in time; the error shows the last packets that were seen instead.
    /// Or a closure of the match has panicked.
    ///
    /// # Panics
    /// There is no tokio runtime around.
    #[cfg(feature = "tokio")]
    pub async fn within_async(&self, limit: Duration) -> Result<Packet> {
        wait_for_hits_async(&self.book, &self.rule, 1, stretched(limit)).await?;
        let state = self.rule.state();
        Ok(state.events.front().cloned().expect("a hit is an event"))
    }

    /// Returns the packet, if it was seen by now.
    pub fn seen(&self) -> Option<Packet> {
        self.rule.state().events.front().cloned()
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        self.book.remove(&self.rule);
    }
}
