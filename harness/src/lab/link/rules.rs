//! Packet rules and expectations on a link.

use std::sync::Arc;

use crate::lab::error::{LabError, Result};
use crate::lab::link::link::Link;
use crate::observe::{Expectation, Match, RuleGuard, Verdict};

impl Link {
    /// Has a verdict on packets that match, for as long as the guard lives. The link is carried by the userspace wire from then on.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// let link = lab.links().next().unwrap();
    /// let rule = link.rule(tcp().syn_ack().nth(1), Verdict::Drop)?;
    /// // … a client connects: it takes one retransmission timeout longer …
    /// assert_eq!(rule.hits(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The match can never hold; the link was asked to be carried by netem; or the kernel refuses the other carrier.
    pub fn rule(&self, matching: Match, verdict: Verdict) -> Result<RuleGuard> {
        let mut middle = self.middle();
        let patience = middle.patience();
        let book = Arc::clone(middle.need_wire("packet rules")?.rules());
        middle.record_rulings(&book);
        drop(middle);
        RuleGuard::new(&book, matching, verdict, patience).map_err(|e| self.wrong(&e))
    }

    /// Looks out for a packet from now on. The link is carried by the userspace wire from then on.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// let link = lab.links().next().unwrap();
    /// let syn = link.expect(tcp().port(80).syn())?;
    /// // … start what should connect …
    /// syn.within(Duration::from_secs(2))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As those of [`rule`](Link::rule).
    pub fn expect(&self, matching: Match) -> Result<Expectation> {
        let book = Arc::clone(self.middle().need_wire("expectations")?.rules());
        Expectation::new(&book, matching).map_err(|e| self.wrong(&e))
    }

    fn wrong(&self, error: &crate::observe::ObserveError) -> LabError {
        LabError::other(format!("link `{}`: {error}", self.name()))
    }
}
