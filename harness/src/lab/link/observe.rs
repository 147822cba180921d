//! How a test looks at the packets of a link: captures, recordings, rules and expectations.

use std::sync::{Arc, Weak};

use crate::impair::Direction;
use crate::kernel::sync::Lock;
use crate::lab::error::{LabError, Result};
use crate::lab::link::link::Link;
use crate::lab::link::state::LinkState;
use crate::model::packet::{FrameSource, Listener};
use crate::observe::{
    CaptureGuard, Expectation, InterfaceLabels, Match, Recording, RuleGuard, Verdict,
};
use crate::trial::patience::Patience;

impl Link {
    /// Captures what passes the link; see [`CaptureGuard`].
    ///
    /// A frame stands in the file once, as it was and when it was when it came to the link. Where
    /// the userspace wire carries the link, a comment tells what happened to the frame: why it was
    /// lost, which rule it met. What comes of the frame later (a duplicate, a flipped bit, a loss
    /// on the way) stands in the file once more, with a comment. Frames from the link's first end
    /// to the second are outbound.
    ///
    /// ```no_run
    /// # use snowglobe::topology::shape;
    /// # #[snowglobe::test]
    /// # fn t() -> snowglobe::TestResult {
    /// # let lab = shape::pair().start()?;
    /// let capture = lab.links().next().unwrap().capture()?.keep_always();
    /// // … traffic …
    /// println!("see {}", capture.path().display());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// There is no trial, the link was removed, or the kernel refuses the capture.
    pub fn capture(&self) -> Result<CaptureGuard> {
        let mut guard = CaptureGuard::begin()?;
        self.capture_in(&mut guard)?;
        Ok(guard)
    }

    /// Keeps what passes the link from now on, as [packets](crate::observe::Packet) at which the
    /// test can look; see [`Recording`].
    ///
    /// # Errors
    /// The link was removed, or the kernel refuses the capture.
    pub fn record(&self) -> Result<Recording> {
        Recording::begin(self.name(), |listener| self.listen(listener))
    }

    pub(crate) fn capture_in(&self, guard: &mut CaptureGuard) -> Result<()> {
        let labels = InterfaceLabels {
            name: self.name(),
            description: &format!("link {}, from its first end", self.name()),
            outbound: Direction::AToB,
        };
        guard.add(self.captured(), &labels, |listener| self.listen(listener))
    }

    fn listen(&self, listener: Arc<dyn Listener>) -> Result<Box<dyn FrameSource>> {
        let number = self.state().listen(listener)?;
        Ok(Box::new(LinkSource {
            // A capture must not keep the link of a lab that is gone.
            state: Arc::downgrade(self.shared_state()),
            number,
        }))
    }

    /// Gives a verdict on packets that match, for as long as the guard lives. The userspace wire
    /// carries the link from then on.
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
    /// No packet can ever match, the link was removed, netem was asked for, or the kernel refuses
    /// the other carrier.
    pub fn rule(&self, matching: Match, verdict: Verdict) -> Result<RuleGuard> {
        let patience = self.state().patience();
        self.rule_with_patience(matching, verdict, patience)
    }

    /// Gives a verdict as [`rule`](Link::rule) does. Waits for hits last for `patience`.
    pub(crate) fn rule_with_patience(
        &self,
        matching: Match,
        verdict: Verdict,
        patience: Patience,
    ) -> Result<RuleGuard> {
        let mut state = self.state();
        let book = state.require_rules("packet rules")?;
        state.record_rulings(&book);
        // A guard of rules needs the book and not the link, which may change carriers meanwhile.
        drop(state);
        RuleGuard::new(&book, matching, verdict, patience)
            .map_err(|e| LabError::observing_link(self.name(), e))
    }

    /// Looks out for a packet from now on. The userspace wire carries the link from then on.
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
    /// As [`rule`](Link::rule).
    pub fn expect(&self, matching: Match) -> Result<Expectation> {
        let book = self.state().require_rules("expectations")?;
        Expectation::new(&book, matching).map_err(|e| LabError::observing_link(self.name(), e))
    }
}

/// The source of a link's frames, for as long as the link is there.
#[derive(Debug)]
struct LinkSource {
    state: Weak<Lock<LinkState>>,
    number: u64,
}

impl FrameSource for LinkSource {
    fn drain(&self) {
        if let Some(state) = self.state.upgrade() {
            state.lock().drain(self.number);
        }
    }
}

impl Drop for LinkSource {
    fn drop(&mut self) {
        if let Some(state) = self.state.upgrade() {
            state.lock().forget(self.number);
        }
    }
}
