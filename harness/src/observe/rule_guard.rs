//! A packet rule as a test holds it: in force while its guard lives.

use std::sync::Arc;

use super::error::Result;
use super::hits::wait_for_hits;
#[cfg(feature = "tokio")]
use super::hits::wait_for_hits_async;
use crate::model::packet::Packet;
use crate::model::rules::{Match, Rule, RuleBook, Verdict};
use crate::trial::patience::Patience;

/// A rule of a link, in force until this is dropped.
///
/// ```no_run
/// use snowglobe::prelude::*;
/// # use snowglobe::observe::RuleGuard;
/// # fn t(rule: RuleGuard) -> TestResult {
/// // let rule = lab[link].rule(tcp().syn_ack().nth(1), Verdict::Drop)?;
/// // … a client connects …
/// rule.wait_for_hits(1)?;
/// println!("lost: {}", rule.events()[0]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a rule is gone as soon as its guard is dropped"]
pub struct RuleGuard {
    book: Arc<RuleBook>,
    rule: Arc<Rule>,
    patience: Patience,
}

impl RuleGuard {
    /// Adds a rule to a book. `patience` is how long [`wait_for_hits`](Self::wait_for_hits) waits.
    ///
    /// # Errors
    /// No packet can ever match.
    pub(crate) fn new(
        book: &Arc<RuleBook>,
        matching: Match,
        verdict: Verdict,
        patience: Patience,
    ) -> Result<Self> {
        Ok(Self {
            rule: book.add(matching, verdict)?,
            book: Arc::clone(book),
            patience,
        })
    }

    /// Returns how many packets the rule has picked. A packet about which an older rule has decided
    /// is not among them, unless the verdict of this rule is [`Verdict::Pass`].
    pub fn hits(&self) -> u64 {
        self.rule.state().hits
    }

    /// Returns the last 1,000 packets that the rule has decided about, oldest first.
    pub fn events(&self) -> Vec<Packet> {
        self.rule.state().events.iter().cloned().collect()
    }

    /// Waits until the rule has decided about `n` packets in all, for as long as the lab waits for
    /// other things: see [`Lab::set_patience`](crate::Lab::set_patience).
    ///
    /// # Errors
    /// Fewer packets came in time; the error shows the last packets that the rule is not about.
    /// Or a closure of the match has panicked.
    pub fn wait_for_hits(&self, n: u64) -> Result<()> {
        wait_for_hits(&self.book, &self.rule, n, self.patience.limit())
    }

    /// Waits as [`wait_for_hits`](RuleGuard::wait_for_hits) does, and lets other futures run
    /// meanwhile.
    ///
    /// # Errors
    /// Fewer packets came in time; the error shows the last packets that the rule is not about.
    /// Or a closure of the match has panicked.
    ///
    /// # Panics
    /// There is no tokio runtime around.
    #[cfg(feature = "tokio")]
    pub async fn wait_for_hits_async(&self, n: u64) -> Result<()> {
        wait_for_hits_async(&self.book, &self.rule, n, self.patience.limit()).await
    }

    /// Sends the packets on their way that the rule holds ([`Verdict::Hold`]), in the order in
    /// which they came, and returns how many these are.
    ///
    /// The rule goes on to hold what matches later. Dropping the guard releases everything.
    pub fn release(&self) -> u64 {
        self.book.release(&self.rule)
    }
}

impl Drop for RuleGuard {
    fn drop(&mut self) {
        self.book.remove(&self.rule);
    }
}
