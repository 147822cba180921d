//! What a link does over time, as somebody recorded it.

mod parse;
mod text;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::error::ImpairmentError;
use super::percent::Percent;
use super::rate::Rate;

/// What a link does over time: recorded once, or made up, and replayed from the first packet that the direction sees. Cheap to clone.
///
/// There are two kinds:
///
/// - **Deliveries**, in the format of Mahimahi: on each line a time in whole milliseconds, at which one packet of full size can pass; several lines
///   with the same time are several packets. After its last line a trace starts over. A packet of full size is an Ethernet frame of
///   1,514 bytes here; smaller ones share a delivery, larger ones take several, and a delivery at which nothing waits is lost.
/// - **A table** of time → rate, delay, loss. Each row holds until the next; the last one for ever, or the table repeats.
///
/// As a table in a file:
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
/// In TOML: `trace = "verizon-lte.down"`, a file of either kind, looked for in the working directory; or `{ deliveries = [1, 2, 3] }`; or
/// `{ rows = [{ at = "0s", rate = "10mbit" }, { at = "5s", rate = "2mbit", loss = "1%" }], repeat = "8s" }`.
#[derive(Clone)]
pub struct Trace(Arc<LoadedTrace>);

struct LoadedTrace {
    /// Where it was read from, which is how it is written again.
    file: Option<PathBuf>,
    kind: TraceKind,
}

#[derive(PartialEq)]
pub(crate) enum TraceKind {
    Deliveries(Deliveries),
    Table(TraceTable),
}

/// Times at which packets can pass, and when that starts over.
#[derive(PartialEq)]
pub(crate) struct Deliveries {
    /// Not empty, sorted by time, no time twice.
    pub(crate) steps: Vec<DeliveryStep>,
    /// Nanoseconds, not zero, not before the last step.
    pub(crate) period: u64,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) struct DeliveryStep {
    /// Nanoseconds.
    pub(crate) at: u64,
    pub(crate) packets: u32,
}

/// Rows, and when they start over.
#[derive(PartialEq)]
pub(crate) struct TraceTable {
    /// Not empty, the first at 0, each later than the one before.
    pub(crate) rows: Vec<Row>,
    /// Later than the last row.
    pub(crate) repeat: Option<Duration>,
}

/// What a link does from a time on: a row of a [`Trace`]. What is `None` is as the impairment says.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// From when on, counted from the trace's start.
    #[serde(with = "super::text::serde_duration")]
    pub at: Duration,
    /// The rate; zero means that nothing passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The delay.
    #[serde(
        default,
        with = "super::text::serde_optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub delay: Option<Duration>,
    /// The independent loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Percent>,
}

impl Trace {
    /// What passes at one line of a Mahimahi trace: the Ethernet frame of a 1,500-byte packet.
    pub const DELIVERY: u32 = 1514;

    /// A trace of times, in milliseconds, at which one packet of full size can pass. The last one is when it starts over.
    pub fn deliveries(
        milliseconds: impl IntoIterator<Item = u64>,
    ) -> Result<Self, ImpairmentError> {
        let deliveries = Deliveries::new(milliseconds)?;
        Ok(Trace::of(TraceKind::Deliveries(deliveries), None))
    }

    /// A table of time → rate, delay, loss, which repeats after `repeat`, if that is given.
    pub fn table(
        rows: impl Into<Vec<Row>>,
        repeat: Option<Duration>,
    ) -> Result<Self, ImpairmentError> {
        let table = TraceTable::new(rows.into(), repeat)?;
        Ok(Trace::of(TraceKind::Table(table), None))
    }

    /// Reads either kind: deliveries, if the first line that has something is a bare number, else a table. An error names the line.
    pub fn parse(text: &str) -> Result<Self, ImpairmentError> {
        Ok(Trace::of(parse::kind(text)?, None))
    }

    /// Reads a file of either kind. An error names file and line.
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

    /// How much passes on average. Nothing for a table that does not say the rate all the time. For one that does not
    /// repeat it is the last row's rate.
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

    /// Whether it ever says a delay that is none.
    pub(crate) fn has_delay(&self) -> bool {
        let delayed = |row: &Row| row.delay.is_some_and(|delay| !delay.is_zero());
        matches!(self.kind(), TraceKind::Table(table) if table.rows.iter().any(delayed))
    }

    /// Whether it says of each packet when it passes.
    pub(crate) fn is_by_packet(&self) -> bool {
        matches!(self.kind(), TraceKind::Deliveries(_))
    }

    /// Whether it says when packets pass, instead of the impairment's own rate.
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
    /// When it starts over, in nanoseconds; never is the end of time.
    pub(crate) fn period(&self) -> u64 {
        self.repeat
            .map_or(u64::MAX, |repeat| repeat.as_nanos() as u64)
    }

    /// Each row with the time at which it ends, in nanoseconds.
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

/// What it is, not the millions of lines that it may have.
impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace(")?;
        if let Some(file) = &self.0.file {
            write!(f, "{}: ", file.display())?;
        }
        match self.kind() {
            TraceKind::Deliveries(of) => {
                let seconds = of.period as f64 / 1e9;
                write!(f, "deliveries at {} times in {seconds} s)", of.steps.len())
            }
            TraceKind::Table(table) => write!(f, "{} rows)", table.rows.len()),
        }
    }
}
