//! What a test holds of a rule: its guard, or an expectation.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{ObserveError, Result};
use crate::model::packet::Packet;
use crate::model::rules::book::State;
use crate::model::rules::{Match, Rule, RuleBook, Verdict};

/// A rule of a link, for as long as this lives.
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
    patience: Duration,
}

impl RuleGuard {
    /// Adds a rule to a book. `patience` is how long it is waited for hits.
    pub(crate) fn new(
        book: &Arc<RuleBook>,
        matching: Match,
        verdict: Verdict,
        patience: Duration,
    ) -> Result<RuleGuard> {
        Ok(RuleGuard {
            rule: book.add(matching, verdict, true)?,
            book: Arc::clone(book),
            patience,
        })
    }

    /// How many packets it had its way with. One that an older rule had already dealt with is not among them.
    pub fn hits(&self) -> u64 {
        self.rule.state().hits
    }

    /// The packets that it had its way with, oldest first; the last 1,000 of them.
    pub fn events(&self) -> Vec<Packet> {
        self.rule.state().events.iter().cloned().collect()
    }

    /// Waits until it has had its way with `n` packets in all. The error shows the last packets that passed it by.
    ///
    /// It waits as long as the lab does for other things: see [`Lab::set_patience`](crate::Lab::set_patience).
    pub fn wait_for_hits(&self, n: u64) -> Result<()> {
        wait(&self.book, &self.rule, n, self.patience)
    }

    /// Lets go what is held by it now, in the order in which it came, and says how many packets that were. It goes on to hold
    /// what matches later; when the guard is dropped everything is let go.
    pub fn release(&self) -> u64 {
        self.book.release(&self.rule)
    }
}

impl Drop for RuleGuard {
    fn drop(&mut self) {
        self.book.remove(&self.rule);
    }
}

/// A packet that a test expects on a link from now on.
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
    /// Begins to look out.
    pub(crate) fn new(book: &Arc<RuleBook>, matching: Match) -> Result<Expectation> {
        Ok(Expectation {
            rule: book.add(matching, Verdict::Pass, true)?,
            book: Arc::clone(book),
        })
    }

    /// The packet, if it was seen since the expectation was made; waits for it until `limit` has passed.
    ///
    /// It is looked for where packets come to the link: one that is then lost was seen too. The error shows the last
    /// packets that were seen instead.
    pub fn within(&self, limit: Duration) -> Result<Packet> {
        wait(&self.book, &self.rule, 1, limit)?;
        let state = self.rule.state();
        Ok(state.events.front().cloned().expect("a hit is an event"))
    }

    /// The packet, if it was seen by now.
    pub fn seen(&self) -> Option<Packet> {
        self.rule.state().events.front().cloned()
    }
}

impl Drop for Expectation {
    fn drop(&mut self) {
        self.book.remove(&self.rule);
    }
}

fn wait(book: &RuleBook, rule: &Rule, hits: u64, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut state = rule.state();
    loop {
        if let Some(panic) = &state.panic {
            return Err(ObserveError::panicked(format!(
                "a closure of the rule `{}` on link `{}` panicked: {panic}",
                rule.matching,
                book.link(),
            )));
        }
        if state.hits >= hits {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let what = asked_for(book, rule, hits);
            return Err(ObserveError::timed_out(what, limit, seen(&state)));
        }
        state = rule
            .changed
            .wait_timeout(state, left)
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .0;
    }
}

fn asked_for(book: &RuleBook, rule: &Rule, hits: u64) -> String {
    let (matching, link) = (&rule.matching, book.link());
    match hits {
        1 => format!("a packet `{matching}` on link `{link}`"),
        _ => format!("{hits} packets `{matching}` on link `{link}`"),
    }
}

/// What was seen instead.
fn seen(state: &State) -> String {
    let mut text = match state.hits {
        0 => String::new(),
        hits => format!("there were {hits}; "),
    };
    match state.passed_by {
        0 => text.push_str("no other packet passed meanwhile"),
        1 => text.push_str("one other packet passed meanwhile:"),
        count => {
            let _ = write!(
                text,
                "{count} other packets passed meanwhile, the last ones:"
            );
        }
    }
    for packet in &state.bystanders {
        let _ = write!(text, "\n  {packet}");
    }
    text
}
