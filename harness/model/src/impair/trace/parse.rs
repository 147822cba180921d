//! Reading traces: each problem with its line.

use std::time::Duration;

use super::{Deliveries, Kind, Row, Step, Table, Trace};
use crate::impair::error::ImpairmentError;
use crate::impair::rate::Rate;
use crate::impair::text::{self, show};

/// The longest trace, and the latest time in one: a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How many rows a table may have, and deliveries different times.
const MOST_ROWS: usize = 1_000_000;

/// Reads either kind.
pub(crate) fn kind(text: &str) -> Result<Kind, ImpairmentError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match lines(text).next() {
        None => Err(ImpairmentError::new(
            "the trace is empty: give times in milliseconds, one on each line, or rows like `0s 10mbit 25ms 1%`",
        )),
        Some((_, first)) if first.bytes().all(|byte| byte.is_ascii_digit()) => {
            deliveries(text).map(Kind::Deliveries)
        }
        Some(_) => table(text).map(Kind::Table),
    }
}

/// Lines that have something besides a comment, with their number.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let stripped = |line: &str| line.find('#').unwrap_or(line.len());
    text.lines()
        .map(move |line| line[..stripped(line)].trim())
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.is_empty())
}

fn deliveries(text: &str) -> Result<Deliveries, ImpairmentError> {
    let mut builder = Builder::default();
    for (number, line) in lines(text) {
        let time = line.parse().map_err(|_| {
            ImpairmentError::new(format!(
                "{} is not a time in whole milliseconds, as each line of a packet-delivery trace has to be",
                show(line)
            ))
        });
        time.and_then(|time| builder.add(time))
            .map_err(|error| error.at_line(number))?;
    }
    builder.finish()
}

/// Deliveries, as their times come.
#[derive(Default)]
pub(crate) struct Builder {
    steps: Vec<Step>,
    last: u64,
}

impl Builder {
    pub(crate) fn add(&mut self, milliseconds: u64) -> Result<(), ImpairmentError> {
        const NANOSECONDS: u64 = 1_000_000;
        if milliseconds < self.last {
            return Err(ImpairmentError::new(format!(
                "{milliseconds} ms comes after {} ms: the times of a trace must not decrease",
                self.last
            )));
        }
        if u128::from(milliseconds) > LONGEST.as_millis() {
            return Err(too_late());
        }
        self.last = milliseconds;
        let at = milliseconds * NANOSECONDS;
        let is_full = self.steps.len() == MOST_ROWS;
        match self.steps.last_mut() {
            Some(step) if step.at == at => step.packets = step.packets.saturating_add(1),
            _ if is_full => return Err(too_long()),
            _ => self.steps.push(Step { at, packets: 1 }),
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Deliveries, ImpairmentError> {
        match self.steps.last() {
            None => Err(ImpairmentError::new(
                "the trace has no times: it needs at least one, in milliseconds",
            )),
            Some(Step { at: 0, .. }) => Err(ImpairmentError::new(
                "the trace lasts 0 ms: its last time, after which it starts over, must be later",
            )),
            Some(&Step { at, .. }) => Ok(Deliveries {
                period: at,
                steps: self.steps,
            }),
        }
    }
}

fn too_late() -> ImpairmentError {
    ImpairmentError::new("a time of more than a day: traces can be at most 24 hours long")
}

fn too_long() -> ImpairmentError {
    ImpairmentError::new(format!("more than {MOST_ROWS} times: take a shorter trace"))
}

fn table(text: &str) -> Result<Table, ImpairmentError> {
    let (mut rows, mut numbers) = (Vec::new(), Vec::new());
    let mut repeat = None;
    for (number, line) in lines(text) {
        if repeat.is_some() {
            let late = "nothing can follow the line that says `repeat`";
            return Err(ImpairmentError::new(late).at_line(number));
        }
        match read_line(line).map_err(|error| error.at_line(number))? {
            Line::Row(row) => rows.push(row),
            Line::Repeat(at) => repeat = Some(at),
        }
        numbers.push(number);
    }
    let number = |index: usize| numbers.get(index).or(numbers.last()).copied();
    check(&rows, repeat).map_err(|(index, error)| match number(index) {
        Some(number) => error.at_line(number),
        None => error,
    })?;
    Ok(Table { rows, repeat })
}

enum Line {
    Row(Row),
    Repeat(Duration),
}

/// `5s 2mbit 80ms 1%`, with commas or without, or `8s repeat`.
fn read_line(line: &str) -> Result<Line, ImpairmentError> {
    let mut columns: Vec<&str> = match line.contains(',') {
        true => line.split(',').map(str::trim).collect(),
        false => line.split_whitespace().collect(),
    };
    if columns.len() > 4 {
        return Err(ImpairmentError::new(format!(
            "{} has {} columns: a row has time, rate, delay and loss, without spaces in them or with commas between them",
            show(line),
            columns.len()
        )));
    }
    let at = text::duration(columns[0])?;
    if columns[1..] == ["repeat"] {
        return Ok(Line::Repeat(at));
    }
    columns.resize(4, "-");
    let given = |column: usize| Some(columns[column]).filter(|text| !matches!(*text, "-" | ""));
    Ok(Line::Row(Row {
        at,
        rate: given(1).map(str::parse).transpose()?,
        delay: given(2).map(text::duration).transpose()?,
        loss: given(3).map(str::parse).transpose()?,
    }))
}

impl Table {
    pub(crate) fn new(rows: Vec<Row>, repeat: Option<Duration>) -> Result<Self, ImpairmentError> {
        check(&rows, repeat).map_err(|(_, error)| error)?;
        Ok(Table { rows, repeat })
    }
}

/// What is wrong with a table, and in which row; the row after the last one is its end.
fn check(rows: &[Row], repeat: Option<Duration>) -> Result<(), (usize, ImpairmentError)> {
    let wrong = |row: usize, why: String| Err((row, ImpairmentError::new(why)));
    if rows.is_empty() {
        return wrong(
            0,
            "the trace has no rows: it needs at least one, at 0s".into(),
        );
    }
    if rows.len() > MOST_ROWS {
        return Err((MOST_ROWS, too_long()));
    }
    let mut last = None;
    let times = rows.iter().map(|row| row.at).chain(repeat);
    for (index, at) in times.enumerate() {
        let shown = text::show_duration(at);
        match last {
            None if !at.is_zero() => {
                return wrong(
                    index,
                    format!("the first row is at {shown}: it has to be at 0s"),
                );
            }
            Some(last) if at <= last => {
                let last = text::show_duration(last);
                let why = format!("{shown} comes after {last}: the times of a trace must increase");
                return wrong(index, why);
            }
            _ if at > LONGEST => return Err((index, too_late())),
            _ => last = Some(at),
        }
    }
    for (index, row) in rows.iter().enumerate() {
        if let Some(loss) = row.loss.filter(|loss| !loss.is_share()) {
            let why = format!("loss of {loss} is not between 0 % and 100 %");
            return wrong(index, why);
        }
        if row
            .delay
            .is_some_and(|delay| delay > crate::impair::validate::LONGEST_DELAY)
        {
            return wrong(
                index,
                "a delay of more than an hour: give at most 3600s".into(),
            );
        }
    }
    check_flow(rows, repeat)
}

/// Whether packets ever pass: else they would wait for ever, or a trace would be gone through for each of them, over and over.
fn check_flow(rows: &[Row], repeat: Option<Duration>) -> Result<(), (usize, ImpairmentError)> {
    let last = rows.len() - 1;
    let stuck = |index, why: &str| Err((index, ImpairmentError::new(why)));
    let Some(repeat) = repeat else {
        return match rows[last].rate.map(Rate::as_bit) {
            Some(0) => stuck(
                last,
                "the last row's rate is zero, for ever: give a later row with a rate, or say when the trace repeats; to cut a link use `cut()`",
            ),
            _ => Ok(()),
        };
    };
    let ends = rows[1..].iter().map(|row| row.at).chain([repeat]);
    let bits = rows.iter().zip(ends).map(|(row, end)| {
        let rate = row.rate.map_or(u64::MAX, Rate::as_bit);
        u128::from(rate) * (end - row.at).as_nanos() / 1_000_000_000
    });
    match bits.sum::<u128>() < u128::from(Trace::DELIVERY) * 8 {
        true => stuck(
            rows.len(),
            "not even one packet of 1514 bytes passes before the trace repeats: give higher rates or a longer time",
        ),
        false => Ok(()),
    }
}
