//! Operations and faults one below the other, on one axis of time, as text.

use std::fmt;
use std::time::Duration;

/// Something that lasted from one time to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Text for people.
    pub label: String,
    /// Time of the beginning.
    pub from: Duration,
    /// Time of the end; none if the end is open.
    pub to: Option<Duration>,
}

impl Interval {
    /// Makes an interval.
    pub fn new(label: impl Into<String>, from: Duration, to: Option<Duration>) -> Self {
        Self {
            label: label.into(),
            from,
            to,
        }
    }
}

/// A timeline: a bar for each operation and each fault, and its text.
///
/// The columns are the moments at which something begins or ends, in order and not to scale: what
/// matters is which came first.
///
/// ```
/// use std::time::Duration;
///
/// use snowglobe_history::{Interval, Timeline};
///
/// let ms = Duration::from_millis;
/// let write = Interval::new("write 1", ms(10), Some(ms(20)));
/// let read = Interval::new("read → 0", ms(30), Some(ms(35)));
/// let cut = Interval::new("cut of `a–b`", ms(5), Some(ms(25)));
/// let timeline = Timeline::new([write, read]).during([cut]);
/// let text = [
///     "  ░░░░░░░░░░        cut of `a–b`, +0.005000s to +0.025000s",
///     "     ├──┤           write 1, +0.010000s to +0.020000s",
///     "              ├──┤  read → 0, +0.030000s to +0.035000s",
/// ];
/// assert_eq!(timeline.to_string(), text.join("\n"));
/// ```
#[derive(Clone, Debug)]
pub struct Timeline {
    rows: Vec<Interval>,
    during: Vec<Interval>,
}

/// Columns of the bars, at most.
const WIDTH: usize = 72;

/// Rows, at most.
const ROWS: usize = 60;

/// Columns between two moments, if there is room.
const STEP: usize = 3;

impl Timeline {
    /// Makes a timeline of operations.
    pub fn new(rows: impl IntoIterator<Item = Interval>) -> Self {
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|row| (row.from, row.to));
        Self {
            rows,
            during: Vec::new(),
        }
    }

    /// Adds intervals such as faults. Those that were over before the first operation, or began
    /// after the last one, are not shown.
    pub fn during(mut self, intervals: impl IntoIterator<Item = Interval>) -> Self {
        let first = self.rows.iter().map(|row| row.from).min();
        let last = self.rows.iter().map(|row| row.to.unwrap_or(row.from)).max();
        let (Some(first), Some(last)) = (first, last) else {
            return self;
        };
        let overlaps = |it: &Interval| it.from <= last && it.to.is_none_or(|to| to >= first);
        self.during.extend(intervals.into_iter().filter(overlaps));
        self
    }

    fn columns(&self) -> Vec<Duration> {
        let all = self.rows.iter().chain(&self.during);
        let mut moments: Vec<Duration> = all
            .flat_map(|it| [Some(it.from), it.to])
            .flatten()
            .collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moments = self.columns();
        let last = moments.len().saturating_sub(1);
        let width = (last * STEP).min(WIDTH);
        let column = |time: Duration| {
            let rank = moments.partition_point(|moment| *moment < time);
            (rank * width).checked_div(last).unwrap_or(0)
        };
        let faults = self.during.iter().map(|it| (it, true));
        let rows = faults.chain(self.rows.iter().map(|it| (it, false)));
        for (number, (row, fault)) in rows.enumerate() {
            if number == ROWS {
                let more = self.during.len() + self.rows.len() - ROWS;
                return write!(f, "\n  … and {more} more");
            }
            let (from, to) = (column(row.from), row.to.map_or(width, column));
            let bar = bar(to - from, row.to.is_some(), fault);
            let rest = " ".repeat(width - to);
            let line_end = if number == 0 { "" } else { "\n" };
            write!(
                f,
                "{line_end}  {}{bar}{rest}  {}",
                " ".repeat(from),
                row.label
            )?;
            write!(f, ", {}", Time(row.from))?;
            match row.to {
                Some(to) => write!(f, " to {}", Time(to))?,
                None => write!(f, " on")?,
            }
        }
        Ok(())
    }
}

/// Returns the bar of an interval that ends so many columns after its beginning.
fn bar(length: usize, closed: bool, fault: bool) -> String {
    if fault {
        return "░".repeat(length + 1);
    }
    match (length, closed) {
        (0, true) => "┼".to_owned(),
        (length, true) => format!("├{}┤", "─".repeat(length - 1)),
        (0, false) => "├".to_owned(),
        (length, false) => format!("├{}┄", "┄".repeat(length - 1)),
    }
}

/// A time as events of a lab show it.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}.{:06}s", self.0.as_secs(), self.0.subsec_micros())
    }
}
