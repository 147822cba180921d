//! A reader's place in the journal of a lab.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::Event;
use super::journal::{Journal, Next};
use crate::trial::patience::Patience;

/// The events of a lab, read from the start of the lab on: `Lab::events`.
///
/// Each subscription has a place of its own. Events that nobody has read are kept, but for the
/// oldest where there are more than ten thousand.
#[derive(Clone, Debug)]
pub struct Events {
    journal: Arc<Journal>,
    next: u64,
    missed: u64,
    patience: Patience,
}

impl Events {
    pub(crate) fn new(journal: &Arc<Journal>, patience: Patience) -> Self {
        Self {
            journal: Arc::clone(journal),
            next: 0,
            missed: 0,
            patience,
        }
    }

    /// Waits no longer than this for an event, in the place of the lab's patience.
    ///
    /// ```no_run
    /// # use snowglobe::prelude::*;
    /// # use snowglobe::events::EventKind;
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::pair().start()?;
    /// let mut events = lab.events().within(Duration::from_millis(300));
    /// let said = |kind: &EventKind| matches!(kind, EventKind::ProcessSaid { .. });
    /// if events.wait_for("a word", |event| said(&event.kind)).is_err() {
    ///     // … nobody has said anything for 300 ms …
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.patience = Patience::of(limit);
        self
    }

    /// Returns the events that have happened since the last read, without waiting.
    pub fn so_far(&mut self) -> Vec<Arc<Event>> {
        let events = self.journal.since(self.next);
        events.iter().for_each(|event| self.advance(event));
        events
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// Nothing happened within the lab's patience, or the lab is gone.
    pub fn next_event(&mut self) -> Result<Arc<Event>, EventError> {
        self.wait_for("an event", |_| true)
    }

    /// Waits for the next event for which `wanted` holds. Events before that one are skipped.
    ///
    /// `what` is a name of that event for the error: `the leader's death`.
    ///
    /// # Errors
    /// No such event happened within the lab's patience, or the lab is gone. The error tells the
    /// last event that did happen.
    pub fn wait_for(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Arc<Event>, EventError> {
        self.wait_by(what, &mut wanted, Instant::now() + self.patience.limit())
    }

    /// Waits for the next event, as [`next_event`](Events::next_event) does, and lets other futures
    /// run meanwhile.
    ///
    /// # Errors
    /// Nothing happened within the lab's patience, or the lab is gone.
    ///
    /// # Panics
    /// There is no tokio runtime around.
    #[cfg(feature = "tokio")]
    pub async fn next_event_async(&mut self) -> Result<Arc<Event>, EventError> {
        self.wait_for_async("an event", |_| true).await
    }

    /// Waits for an event, as [`wait_for`](Events::wait_for) does, and lets other futures run
    /// meanwhile.
    ///
    /// # Errors
    /// No such event happened within the lab's patience, or the lab is gone. The error tells the
    /// last event that did happen.
    ///
    /// # Panics
    /// There is no tokio runtime around.
    #[cfg(feature = "tokio")]
    pub async fn wait_for_async(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Arc<Event>, EventError> {
        let patience = self.patience.limit();
        let wait = |now| self.wait_by(what, &mut wanted, now);
        crate::attempts::attempts(patience, EventError::is_timeout, wait).await
    }

    /// Waits until `deadline`.
    fn wait_by(
        &mut self,
        what: &str,
        wanted: &mut impl FnMut(&Event) -> bool,
        deadline: Instant,
    ) -> Result<Arc<Event>, EventError> {
        loop {
            let cause = match self.journal.wait(self.next, deadline) {
                Next::Event(event) => {
                    self.advance(&event);
                    if wanted(&event) {
                        return Ok(event);
                    }
                    continue;
                }
                Next::TimedOut(last) => EventErrorCause::TimedOut {
                    limit: self.patience.limit(),
                    last,
                },
                Next::Closed => EventErrorCause::LabIsGone,
            };
            return Err(EventError {
                what: what.to_owned(),
                cause,
            });
        }
    }

    /// Returns the number of events that this reader has lost, because more than ten thousand were
    /// unread.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    fn advance(&mut self, event: &Event) {
        self.missed += event.number - self.next;
        self.next = event.number + 1;
    }
}

/// The reason why an awaited event did not come.
pub struct EventError {
    what: String,
    cause: EventErrorCause,
}

enum EventErrorCause {
    TimedOut {
        limit: Duration,
        last: Option<Arc<Event>>,
    },
    LabIsGone,
}

impl EventError {
    /// Returns whether the lab's patience ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(self.cause, EventErrorCause::TimedOut { .. })
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, cause } = self;
        match cause {
            EventErrorCause::TimedOut {
                limit,
                last: Some(last),
            } => {
                write!(
                    f,
                    "waited {limit:?} in vain for {what}; the last event was: {last}"
                )
            }
            EventErrorCause::TimedOut { limit, last: None } => {
                write!(
                    f,
                    "waited {limit:?} in vain for {what}; nothing happened at all"
                )
            }
            EventErrorCause::LabIsGone => {
                write!(f, "{what} cannot come any more: the lab was dropped")
            }
        }
    }
}

/// The same as `Display`: an error that leaves a test by `?` is printed with `Debug`.
impl fmt::Debug for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for EventError {}
