//! Reading traces, so that each problem is told with its line.

use std::time::Duration;

use super::{Deliveries, DeliveryStep, Row, Trace, TraceKind, TraceTable};
use crate::impair::error::ImpairmentError;
use crate::impair::limits::LONGEST_DELAY;
use crate::impair::problem::{Notation, TextProblem, TraceProblem};
use crate::impair::rate::Rate;
use crate::impair::text;

/// Latest time in a trace: a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Most rows of a table, and most different times of deliveries.
const MOST_ROWS: usize = 1_000_000;

/// Reads a trace of either kind.
pub(crate) fn kind(text: &str) -> Result<TraceKind, ImpairmentError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match lines(text).next() {
        None => Err(TraceProblem::Empty.into()),
        Some((_, first)) if first.bytes().all(|byte| byte.is_ascii_digit()) => {
            deliveries(text).map(TraceKind::Deliveries)
        }
        Some(_) => table(text).map(TraceKind::Table),
    }
}

/// Returns the lines that have content besides a comment, with their number.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let stripped = |line: &str| line.find('#').unwrap_or(line.len());
    text.lines()
        .map(move |line| line[..stripped(line)].trim())
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.is_empty())
}

fn deliveries(text: &str) -> Result<Deliveries, ImpairmentError> {
    let mut builder = DeliveriesBuilder::default();
    for (number, line) in lines(text) {
        let time = line.parse().map_err(|_| {
            ImpairmentError::from(TextProblem::NotA(Notation::Milliseconds, line.to_owned()))
        });
        time.and_then(|time| builder.add(time))
            .map_err(|error| error.at_line(number))?;
    }
    builder.finish()
}

/// Deliveries, as their times come.
#[derive(Default)]
pub(crate) struct DeliveriesBuilder {
    steps: Vec<DeliveryStep>,
    last: u64,
}

impl DeliveriesBuilder {
    pub(crate) fn add(&mut self, milliseconds: u64) -> Result<(), ImpairmentError> {
        const NANOSECONDS: u64 = 1_000_000;
        if milliseconds < self.last {
            let (at, after) = (milliseconds, self.last);
            return Err(TraceProblem::Decreasing { at, after }.into());
        }
        if u128::from(milliseconds) > LONGEST.as_millis() {
            return Err(TraceProblem::AboveADay.into());
        }
        self.last = milliseconds;
        let at = milliseconds * NANOSECONDS;
        let is_full = self.steps.len() == MOST_ROWS;
        match self.steps.last_mut() {
            Some(step) if step.at == at => step.packets = step.packets.saturating_add(1),
            _ if is_full => return Err(TOO_LONG.into()),
            _ => self.steps.push(DeliveryStep { at, packets: 1 }),
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Deliveries, ImpairmentError> {
        match self.steps.last() {
            None => Err(TraceProblem::NoTimes.into()),
            Some(DeliveryStep { at: 0, .. }) => Err(TraceProblem::LastsNothing.into()),
            Some(&DeliveryStep { at, .. }) => Ok(Deliveries {
                period: at,
                steps: self.steps,
            }),
        }
    }
}

const TOO_LONG: TraceProblem = TraceProblem::TooLong { most: MOST_ROWS };

fn table(text: &str) -> Result<TraceTable, ImpairmentError> {
    let (mut rows, mut numbers) = (Vec::new(), Vec::new());
    let mut repeat = None;
    for (number, line) in lines(text) {
        if repeat.is_some() {
            return Err(ImpairmentError::from(TraceProblem::AfterRepeat).at_line(number));
        }
        match read_line(line).map_err(|error| error.at_line(number))? {
            TraceLine::Row(row) => rows.push(row),
            TraceLine::Repeat(at) => repeat = Some(at),
        }
        numbers.push(number);
    }
    let number = |index: usize| numbers.get(index).or(numbers.last()).copied();
    check(&rows, repeat).map_err(|(index, problem)| {
        let error = ImpairmentError::from(problem);
        match number(index) {
            Some(number) => error.at_line(number),
            None => error,
        }
    })?;
    Ok(TraceTable { rows, repeat })
}

enum TraceLine {
    Row(Row),
    Repeat(Duration),
}

/// Reads a line like `5s 2mbit 80ms 1%`, with commas or without, or `8s repeat`.
fn read_line(line: &str) -> Result<TraceLine, ImpairmentError> {
    let mut columns: Vec<&str> = if line.contains(',') {
        line.split(',').map(str::trim).collect()
    } else {
        line.split_whitespace().collect()
    };
    if columns.len() > 4 {
        let problem = TraceProblem::TooManyColumns {
            row: line.to_owned(),
            columns: columns.len(),
        };
        return Err(problem.into());
    }
    let at = text::duration(columns[0])?;
    if columns[1..] == ["repeat"] {
        return Ok(TraceLine::Repeat(at));
    }
    columns.resize(4, "-");
    let given = |column: usize| Some(columns[column]).filter(|text| !matches!(*text, "-" | ""));
    Ok(TraceLine::Row(Row {
        at,
        rate: given(1).map(str::parse).transpose()?,
        delay: given(2).map(text::duration).transpose()?,
        loss: given(3).map(str::parse).transpose()?,
    }))
}

impl TraceTable {
    pub(crate) fn new(rows: Vec<Row>, repeat: Option<Duration>) -> Result<Self, ImpairmentError> {
        check(&rows, repeat).map_err(|(_, problem)| problem)?;
        Ok(TraceTable { rows, repeat })
    }
}

/// Returns the problem of a table, if there is one, with its row. The row after the last one is the
/// end of the table.
fn check(rows: &[Row], repeat: Option<Duration>) -> Result<(), (usize, TraceProblem)> {
    if rows.is_empty() {
        return Err((0, TraceProblem::NoRows));
    }
    if rows.len() > MOST_ROWS {
        return Err((MOST_ROWS, TOO_LONG));
    }
    let mut last = None;
    let times = rows.iter().map(|row| row.at).chain(repeat);
    for (index, at) in times.enumerate() {
        match last {
            None if !at.is_zero() => {
                let at = text::show_duration(at);
                return Err((index, TraceProblem::FirstRow { at }));
            }
            Some(last) if at <= last => {
                let (at, after) = (text::show_duration(at), text::show_duration(last));
                return Err((index, TraceProblem::NotIncreasing { at, after }));
            }
            _ if at > LONGEST => return Err((index, TraceProblem::AboveADay)),
            _ => last = Some(at),
        }
    }
    for (index, row) in rows.iter().enumerate() {
        if let Some(loss) = row.loss.filter(|loss| !loss.is_share()) {
            let loss = loss.to_string();
            return Err((index, TraceProblem::NotAShare { loss }));
        }
        if row.delay.is_some_and(|delay| delay > LONGEST_DELAY) {
            return Err((index, TraceProblem::DelayAboveAnHour));
        }
    }
    check_flow(rows, repeat)
}

/// Returns the problem of a table in which packets would wait for ever, or for many rounds.
fn check_flow(rows: &[Row], repeat: Option<Duration>) -> Result<(), (usize, TraceProblem)> {
    let last = rows.len() - 1;
    let Some(repeat) = repeat else {
        return match rows[last].rate.map(Rate::as_bit) {
            Some(0) => Err((last, TraceProblem::EndsAtRateZero)),
            _ => Ok(()),
        };
    };
    let ends = rows[1..].iter().map(|row| row.at).chain([repeat]);
    let bits = rows.iter().zip(ends).map(|(row, end)| {
        let rate = row.rate.map_or(u64::MAX, Rate::as_bit);
        u128::from(rate) * (end - row.at).as_nanos() / 1_000_000_000
    });
    if bits.sum::<u128>() < u128::from(Trace::DELIVERY) * 8 {
        return Err((rows.len(), TraceProblem::PassesNothing));
    }
    Ok(())
}
