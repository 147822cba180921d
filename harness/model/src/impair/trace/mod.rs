//! Rates, delays and losses over time, as somebody recorded them on a real link.
//!
//! No distribution has the tunnels and the handovers of a train ride. So a recording can be
//! replayed.

mod parse;
mod text;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use snowglobe_text::counted;

use super::error::ImpairmentError;
use super::percent::Percent;
use super::rate::Rate;

/// The behaviour of a link over time: recorded once, or made up, and replayed from the first packet
/// that the direction sees. A trace is cheap to clone.
///
/// A trace is of one of two kinds:
///
/// - **Deliveries**, in the format of Mahimahi: on each line a time in whole milliseconds, at which
///   one packet of full size can pass; several lines with the same time are several packets. After
///   its last line a trace starts over. A packet of full size is an Ethernet frame of 1,514 bytes
///   here. Smaller packets share a delivery, larger ones take several, and a delivery at which
///   nothing waits is lost.
/// - **A table** of time → rate, delay, loss. Each row holds until the next. The last row holds for
///   ever, or the table repeats.
///
/// In a file a table is written like this:
///
/// ```text
/// # time  rate    delay  loss     with units, and `-` for what the impairment says anyway
/// 0s      10mbit  25ms   0%
/// 5s      2mbit   80ms   1%
/// 7s      0mbit   -      -        nothing passes
/// 8s      repeat
/// ```
///
/// ```
/// use snowglobe_model::impair::{Impairment, Percent, Rate, Trace};
///
/// let tunnel = Trace::parse("0s 10mbit 25ms 0%\n 5s 2mbit 80ms 1%\n 8s repeat")?;
/// assert_eq!(tunnel.mean_rate(), Some(Rate::mbit(7)));
/// let train = Impairment { trace: Some(tunnel), ..Impairment::NONE };
/// train.validate()?;
///
/// let twelve_mbit = Trace::parse("1\n2\n3\n")?; // a packet each millisecond, and over again
/// assert_eq!(twelve_mbit.mean_rate(), Some(Rate::kbit(12_112)));
/// # Ok::<(), snowglobe_model::impair::ImpairmentError>(())
/// ```
///
/// In TOML: `trace = "verizon-lte.down"`, a file of either kind, looked for in the working
/// directory; or `{ deliveries = [1, 2, 3] }`; or `{ rows = [{ at = "0s", rate = "10mbit" }, { at =
/// "5s", rate = "2mbit", loss = "1%" }], repeat = "8s" }`.
#[derive(Clone)]
pub struct Trace(Arc<LoadedTrace>);

struct LoadedTrace {
    /// File from which the trace was read, by which it is written again.
    file: Option<PathBuf>,
    kind: TraceKind,
}

#[derive(PartialEq)]
pub(crate) enum TraceKind {
    Deliveries(Deliveries),
    Table(TraceTable),
}

/// Times at which packets can pass, and the time at which they start over.
#[derive(PartialEq)]
pub(crate) struct Deliveries {
    /// Steps, at least one, sorted by time, no time twice.
    pub(crate) steps: Vec<DeliveryStep>,
    /// Time at which the steps start over, in nanoseconds: not zero, not before the last step.
    pub(crate) period: u64,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) struct DeliveryStep {
    /// Time of the step, in nanoseconds.
    pub(crate) at: u64,
    pub(crate) packets: u32,
}

/// Rows, and the time at which they start over.
#[derive(PartialEq)]
pub(crate) struct TraceTable {
    /// Rows, at least one, the first at 0, each later than the one before.
    pub(crate) rows: Vec<Row>,
    /// Time at which the rows start over, later than the last row.
    pub(crate) repeat: Option<Duration>,
}

/// The behaviour of a link from a time on: a row of a [`Trace`]. A value that is `None` is as the
/// impairment says.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    snowglobe_derive::Serialize,
    snowglobe_derive::Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Time from the start of the trace to that of the row.
    #[serde(with = "super::text::serde_duration")]
    pub at: Duration,
    /// Rate; zero means that nothing passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Delay of each packet.
    #[serde(
        default,
        with = "super::text::serde_optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub delay: Option<Duration>,
    /// Share of packets that are lost, each by its own chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Percent>,
}

impl Trace {
    /// Bytes that pass at one line of a Mahimahi trace: the Ethernet frame of a 1,500-byte packet.
    pub const DELIVERY: u32 = 1514;

    /// Makes a trace of times, in milliseconds, at which one packet of full size can pass. At the
    /// last time the trace starts over.
    ///
    /// # Errors
    /// There is no time but zero, times decrease, or the trace is too long.
    pub fn deliveries(
        milliseconds: impl IntoIterator<Item = u64>,
    ) -> Result<Self, ImpairmentError> {
        let deliveries = Deliveries::new(milliseconds)?;
        Ok(Trace::of(TraceKind::Deliveries(deliveries), None))
    }

    /// Makes a table of time → rate, delay, loss, which repeats after `repeat`, if that is given.
    ///
    /// # Errors
    /// There are no rows or too many, times do not increase from zero, a value is out of its range,
    /// or packets would wait for ever.
    pub fn table(
        rows: impl Into<Vec<Row>>,
        repeat: Option<Duration>,
    ) -> Result<Self, ImpairmentError> {
        let table = TraceTable::new(rows.into(), repeat)?;
        Ok(Trace::of(TraceKind::Table(table), None))
    }

    /// Reads a trace of either kind: deliveries, if the first line with content is a bare number,
    /// and otherwise a table.
    ///
    /// # Errors
    /// A line is neither, or [`deliveries`](Self::deliveries) or [`table`](Self::table) refuses the
    /// values. The error names the line.
    pub fn parse(text: &str) -> Result<Self, ImpairmentError> {
        Ok(Trace::of(parse::kind(text)?, None))
    }

    /// Reads a file of either kind.
    ///
    /// # Errors
    /// The file cannot be read, or [`parse`](Self::parse) refuses its text. The error names file
    /// and line.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ImpairmentError> {
        let path = path.as_ref();
        let kind = super::text::read_file(path, "trace").and_then(|text| parse::kind(&text));
        match kind {
            Ok(kind) => Ok(Trace::of(kind, Some(path.to_owned()))),
            Err(error) => Err(error.in_file(path)),
        }
    }

    fn of(kind: TraceKind, file: Option<PathBuf>) -> Self {
        Trace(Arc::new(LoadedTrace { file, kind }))
    }

    /// Returns the average rate, or nothing for a table that does not say the rate all the time.
    ///
    /// For a table that does not repeat it is the rate of the last row.
    pub fn mean_rate(&self) -> Option<Rate> {
        const BITS: u128 = 8 * 1_000_000_000;
        match self.kind() {
            TraceKind::Deliveries(of) => {
                let packets: u64 = of.steps.iter().map(|step| u64::from(step.packets)).sum();
                let bits = u128::from(packets * u64::from(Trace::DELIVERY)) * BITS;
                Some(Rate::bit((bits / u128::from(of.period)) as u64))
            }
            TraceKind::Table(table) => table.mean_rate(),
        }
    }

    pub(crate) fn kind(&self) -> &TraceKind {
        &self.0.kind
    }

    /// Returns whether any row says a delay other than zero.
    pub(crate) fn has_delay(&self) -> bool {
        let delayed = |row: &Row| row.delay.is_some_and(|delay| !delay.is_zero());
        matches!(self.kind(), TraceKind::Table(table) if table.rows.iter().any(delayed))
    }

    /// Returns whether the trace says of each packet when it passes.
    pub(crate) fn is_by_packet(&self) -> bool {
        matches!(self.kind(), TraceKind::Deliveries(_))
    }

    /// Returns whether the trace says when packets pass, in the place of the rate of the
    /// impairment.
    pub(crate) fn has_rate(&self) -> bool {
        match self.kind() {
            TraceKind::Deliveries(_) => true,
            TraceKind::Table(table) => table.rows.iter().any(|row| row.rate.is_some()),
        }
    }
}

impl Deliveries {
    fn new(milliseconds: impl IntoIterator<Item = u64>) -> Result<Self, ImpairmentError> {
        let mut builder = parse::DeliveriesBuilder::default();
        for time in milliseconds {
            builder.add(time)?;
        }
        builder.finish()
    }
}

impl TraceTable {
    /// Returns the time at which the rows start over, in nanoseconds; `u64::MAX` stands for never.
    pub(crate) fn period(&self) -> u64 {
        self.repeat
            .map_or(u64::MAX, |repeat| repeat.as_nanos() as u64)
    }

    /// Returns each row with the time at which it ends, in nanoseconds.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (&Row, u64)> {
        let ends = self.rows[1..].iter().map(|row| row.at.as_nanos() as u64);
        self.rows.iter().zip(ends.chain([self.period()]))
    }

    fn mean_rate(&self) -> Option<Rate> {
        let Some(repeat) = self.repeat else {
            return self.rows.last()?.rate;
        };
        let mut bits = 0;
        for (row, end) in self.spans() {
            let time = u128::from(end) - row.at.as_nanos();
            bits += u128::from(row.rate?.as_bit()) * time;
        }
        Some(Rate::bit((bits / repeat.as_nanos()) as u64))
    }
}

impl PartialEq for Trace {
    fn eq(&self, other: &Trace) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.kind == other.0.kind
    }
}

/// Writes the kind and the length of the trace, which may have millions of lines.
impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace(")?;
        if let Some(file) = &self.0.file {
            write!(f, "{}: ", file.display())?;
        }
        match self.kind() {
            TraceKind::Deliveries(of) => {
                let seconds = of.period as f64 / 1e9;
                let times = counted(of.steps.len(), "time");
                write!(f, "deliveries at {times} in {seconds} s)")
            }
            TraceKind::Table(table) => write!(f, "{})", counted(table.rows.len(), "row")),
        }
    }
}
