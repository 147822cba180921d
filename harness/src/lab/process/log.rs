//! The lines that a program in a node has written, kept for those who wait for one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::events::{EventKind, Journal, ProcessName, Stream};
use crate::kernel::sync::{Lock, Notifier};

/// A line that a program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The stream to which the line was written.
    pub stream: Stream,
    /// The line without its end. Bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// Number of lines that are kept of each program; the oldest go first.
const KEPT: usize = 10_000;

/// The lines that one program has written.
#[derive(Debug)]
pub(crate) struct Log {
    process: Arc<ProcessName>,
    journal: Arc<Journal>,
    state: Lock<LogState>,
    changed: Notifier,
}

#[derive(Debug, Default)]
struct LogState {
    lines: VecDeque<Line>,
    /// Number of lines that were dropped.
    gone: usize,
    /// Number of streams that are still open.
    open: usize,
}

impl Log {
    /// Returns an empty log. Each line will be an event of the journal as well.
    pub(crate) fn new(process: Arc<ProcessName>, journal: Arc<Journal>) -> Self {
        Self {
            process,
            journal,
            state: Lock::default(),
            changed: Notifier::new(),
        }
    }

    pub(crate) fn opened(&self) {
        self.state.lock().open += 1;
    }

    pub(crate) fn closed(&self) {
        let mut state = self.state.lock();
        state.open = state.open.saturating_sub(1);
        self.changed.notify_all();
    }

    pub(crate) fn push(&self, line: Line) {
        self.journal.record(EventKind::ProcessSaid {
            process: Arc::clone(&self.process),
            stream: line.stream,
            line: line.text.clone(),
        });
        let mut state = self.state.lock();
        // The oldest line goes: the last ones explain a failure.
        if state.lines.len() == KEPT {
            state.lines.pop_front();
            state.gone += 1;
        }
        state.lines.push_back(line);
        self.changed.notify_all();
    }

    /// Returns all lines that are kept.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.state.lock().lines.iter().cloned().collect()
    }

    /// Waits for the line of a number, counted from the beginning. Returns `Ok(None)` if the line
    /// will never be there.
    ///
    /// The error is the number of lines at the deadline.
    pub(crate) fn line(
        &self,
        number: usize,
        deadline: Option<Instant>,
    ) -> Result<Option<Line>, usize> {
        let mut state = self.state.lock();
        loop {
            // A line that was dropped is answered by the oldest that is kept.
            let at = number.max(state.gone) - state.gone;
            if let Some(line) = state.lines.get(at) {
                return Ok(Some(line.clone()));
            }
            // No stream can bring more lines.
            if state.open == 0 {
                return Ok(None);
            }
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::from_secs(3600),
            };
            if left.is_zero() {
                return Err(state.gone + state.lines.len());
            }
            state = self.changed.wait_timeout(state, left);
        }
    }

    /// Waits until all that was written has been read, or until `deadline`: another process may
    /// hold the outputs open.
    pub(crate) fn wait_for_end(&self, deadline: Instant) {
        let mut state = self.state.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.open == 0 || left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left);
        }
    }

    /// Returns the last lines, for an error.
    pub(crate) fn tail(&self) -> String {
        let state = self.state.lock();
        let last: Vec<&str> = state
            .lines
            .iter()
            .rev()
            .take(10)
            .map(|line| line.text.as_str())
            .collect();
        match last.is_empty() {
            true => "it wrote nothing".to_owned(),
            false => format!(
                "its last lines:\n{}",
                last.into_iter().rev().collect::<Vec<_>>().join("\n")
            ),
        }
    }
}
