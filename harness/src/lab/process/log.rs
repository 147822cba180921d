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
    /// Number of lines of the program in whose place this line stands, as they are not kept any
    /// more. The text says so too. The number is 0 for each line that the program wrote.
    pub dropped: usize,
}

impl Line {
    pub(crate) fn written(stream: Stream, text: String) -> Self {
        Self {
            stream,
            text,
            dropped: 0,
        }
    }

    /// Returns the line that stands in the place of lines that are not kept.
    fn in_place_of(dropped: usize) -> Self {
        let lines = if dropped == 1 {
            "line was"
        } else {
            "lines were"
        };
        Self {
            stream: Stream::Stdout,
            text: format!("[{dropped} {lines} dropped: the last {KEPT} of a program are kept]"),
            dropped,
        }
    }
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
    /// Lines at which something is done at once.
    points: Lock<Vec<LinePoint>>,
}

/// A line at which something is done as soon as it was read.
struct LinePoint {
    text: String,
    reached: Box<dyn Fn(&str) + Send>,
}

impl std::fmt::Debug for LinePoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LinePoint").field(&self.text).finish()
    }
}

#[derive(Debug, Default)]
struct LogState {
    lines: VecDeque<Line>,
    /// Number of lines that were dropped.
    gone: usize,
    /// Text behind the last line end of each stream: a prompt, or a line that comes in pieces.
    unended: [String; 2],
    /// Number of streams that are still open.
    open: usize,
}

impl LogState {
    /// Returns the lines from the number `from` on, counted from the beginning, as far as they are
    /// kept.
    fn since(&self, from: usize) -> impl Iterator<Item = &Line> {
        self.lines.iter().skip(from.saturating_sub(self.gone))
    }

    /// Returns the number of lines that the program has written.
    fn count(&self) -> usize {
        self.gone + self.lines.len()
    }

    /// Returns what was written and has no line end yet, as lines.
    fn unended(&self) -> impl DoubleEndedIterator<Item = Line> {
        let streams = [Stream::Stdout, Stream::Stderr].into_iter();
        let written = streams
            .zip(&self.unended)
            .filter(|(_, text)| !text.is_empty());
        written.map(|(stream, text)| Line::written(stream, text.clone()))
    }
}

/// The reason why a text was not found in what a program wrote.
pub(crate) enum NotFound {
    /// The program has closed its outputs.
    Ended,
    /// The deadline has passed. This number of lines was dropped before they could be searched.
    TimedOut {
        /// Number of lines that were not searched.
        dropped: usize,
    },
}

impl Log {
    /// Returns an empty log. Each line will be an event of the journal as well.
    pub(crate) fn new(process: Arc<ProcessName>, journal: Arc<Journal>) -> Self {
        Self {
            process,
            journal,
            state: Lock::default(),
            changed: Notifier::new(),
            points: Lock::default(),
        }
    }

    /// Does something as soon as the program writes a line that contains `text`, from now on, once.
    pub(crate) fn at_line(&self, text: &str, reached: impl Fn(&str) + Send + 'static) {
        self.points.lock().push(LinePoint {
            text: text.to_owned(),
            reached: Box::new(reached),
        });
    }

    pub(crate) fn opened(&self) {
        self.state.lock().open += 1;
    }

    pub(crate) fn closed(&self) {
        let mut state = self.state.lock();
        state.open = state.open.saturating_sub(1);
        self.changed.notify_all();
    }

    /// Adds what one read of a stream has brought: whole lines, and what stands behind the last of
    /// them. `cut_off` is the end of the piece before the first of the lines, where that is a piece
    /// of a line that was cut for its length.
    pub(crate) fn push(&self, stream: Stream, lines: Vec<String>, unended: &[u8], cut_off: &str) {
        // Points are served before anything else: the program goes on until it is stopped.
        self.points.lock().retain(|point| {
            let reached = lines.iter().find(|line| line.contains(&point.text));
            reached.inspect(|line| (point.reached)(line)).is_none()
        });
        // A program may write a million lines: the journal and the log are locked once a read, and
        // not once a line.
        self.journal
            .keep_all(lines.iter().map(|text| EventKind::ProcessSaid {
                process: Arc::clone(&self.process),
                stream,
                line: text.clone(),
            }));
        // Forbidden texts are looked for after the journal has the lines: a text that is forbidden
        // meanwhile is looked for there.
        self.journal
            .forbidden()
            .judge(&self.process, stream, &lines, cut_off);
        let mut state = self.state.lock();
        let written = lines.into_iter().map(|text| Line::written(stream, text));
        state.lines.extend(written);
        // The oldest lines go: the last ones explain a failure.
        let surplus = state.lines.len().saturating_sub(KEPT);
        state.lines.drain(..surplus);
        state.gone += surplus;
        let place = &mut state.unended[stream as usize];
        place.clear();
        place.push_str(&String::from_utf8_lossy(unended));
        self.changed.notify_all();
    }

    /// Returns all lines that are kept. One in front says how many are not, and what has no line
    /// end yet comes last.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let state = self.state.lock();
        let dropped = (state.gone > 0).then(|| Line::in_place_of(state.gone));
        let kept = state.lines.iter().cloned();
        dropped
            .into_iter()
            .chain(kept)
            .chain(state.unended())
            .collect()
    }

    /// Waits for the line whose number, counted from the beginning, is `*next`, and counts it.
    /// Returns nothing if no further line will come.
    pub(crate) fn next(&self, next: &mut usize) -> Option<Line> {
        let mut state = self.state.lock();
        loop {
            let dropped = state.gone.saturating_sub(*next);
            if dropped > 0 {
                *next = state.gone;
                return Some(Line::in_place_of(dropped));
            }
            if let Some(line) = state.since(*next).next() {
                *next += 1;
                return Some(line.clone());
            }
            // No stream can bring more lines.
            if state.open == 0 {
                return None;
            }
            state = self.changed.wait_timeout(state, Duration::from_secs(3600));
        }
    }

    /// Waits for a line that contains `text`, whether or not its end was written.
    pub(crate) fn find(&self, text: &str, deadline: Instant) -> Result<Line, NotFound> {
        let (mut searched, mut dropped) = (0, 0);
        let mut state = self.state.lock();
        loop {
            dropped += state.gone.saturating_sub(searched);
            let fits = |line: &&Line| line.text.contains(text);
            if let Some(line) = state.since(searched).find(fits) {
                return Ok(line.clone());
            }
            if let Some(line) = state.unended().find(|line| fits(&line)) {
                return Ok(line);
            }
            searched = state.count();
            if state.open == 0 {
                return Err(NotFound::Ended);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NotFound::TimedOut { dropped });
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
        let unended: Vec<Line> = state.unended().collect();
        let all = state.lines.iter().chain(&unended);
        let last: Vec<&str> = all.rev().take(10).map(|line| line.text.as_str()).collect();
        match last.is_empty() {
            true => "it wrote nothing".to_owned(),
            false => format!(
                "its last lines:\n{}",
                last.into_iter().rev().collect::<Vec<_>>().join("\n")
            ),
        }
    }
}
