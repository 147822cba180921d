//! Traces as they are replayed.
//!
//! A trace says when packets pass, or which rate, delay and loss a link has at a time. It may be
//! long and may repeat for ever, so each reader keeps its place in it and goes on from there.

use crate::impair::impairment::Impairment;
use crate::impair::rate::Rate;
use crate::impair::trace::{Deliveries, Trace, TraceKind, TraceTable};

use super::draw::Threshold;
use super::work::PER_BYTE;

/// Rate that stands for no limit.
const UNLIMITED: u64 = u64::MAX;

/// Times at which packets can pass, as in Mahimahi's format (Netravali et al., "Mahimahi: Accurate
/// Record-and-Replay for HTTP", USENIX ATC 2015).
pub(crate) struct Opportunities {
    trace: Trace,
    origin: u64,
    /// Place in the trace: the round, the step in it, and the bytes of the step that are not used
    /// yet.
    round: u64,
    step: usize,
    bytes: u64,
    /// Time at which the packets before are through.
    free: u64,
}

impl Opportunities {
    pub(crate) fn new(trace: &Trace, free: u64) -> Opportunities {
        Opportunities {
            trace: trace.clone(),
            origin: 0,
            round: 0,
            step: 0,
            bytes: 0,
            free,
        }
    }

    pub(crate) fn start(&mut self, origin: u64) {
        self.origin = origin;
        self.round = 0;
        self.go_to(0);
    }

    pub(crate) fn free(&self) -> u64 {
        self.free
    }

    fn deliveries(&self) -> &Deliveries {
        match self.trace.kind() {
            TraceKind::Deliveries(deliveries) => deliveries,
            TraceKind::Table(_) => unreachable!("made of a trace of deliveries"),
        }
    }

    pub(crate) fn serve(&mut self, arrival: u64, length: usize) -> u64 {
        let arrival = arrival.max(self.free);
        if self.time() < arrival {
            self.skip_to(arrival);
        }
        let mut needed = length as u64;
        while self.bytes < needed {
            needed -= self.bytes;
            self.go_to(self.step + 1);
        }
        self.bytes -= needed;
        self.free = self.time();
        self.free
    }

    /// Takes the next opportunity. Packets that wait have it already, so a later one is used up in
    /// its place.
    pub(crate) fn overtake(&mut self, now: u64, length: usize) -> u64 {
        let (round, step) = self.next(now);
        let time = self.time_of(round, step);
        time.min(self.serve(now, length))
    }

    fn time(&self) -> u64 {
        self.time_of(self.round, self.step)
    }

    fn time_of(&self, round: u64, step: usize) -> u64 {
        let deliveries = self.deliveries();
        let start = deliveries.period.saturating_mul(round);
        self.origin
            .saturating_add(start)
            .saturating_add(deliveries.steps[step].at)
    }

    /// Returns the first round and step that is not before a time.
    fn next(&self, time: u64) -> (u64, usize) {
        let deliveries = self.deliveries();
        let since = time.saturating_sub(self.origin);
        let (round, within) = (since / deliveries.period, since % deliveries.period);
        match deliveries.steps.partition_point(|step| step.at < within) {
            step if step < deliveries.steps.len() => (round, step),
            _ => (round + 1, 0),
        }
    }

    fn skip_to(&mut self, time: u64) {
        let step;
        (self.round, step) = self.next(time);
        self.go_to(step);
    }

    /// Goes to a step, which after the last one is the first of the next round.
    fn go_to(&mut self, step: usize) {
        let steps = &self.deliveries().steps;
        let (step, over) = if step < steps.len() {
            (step, 0)
        } else {
            (0, 1)
        };
        let packets = u64::from(steps[step].packets);
        self.bytes = packets * u64::from(Trace::DELIVERY);
        self.step = step;
        self.round += over;
    }
}

/// Rates that change over time.
pub(crate) struct Profile {
    rows: Rows,
    /// Rate where the table says none, in bits per second.
    otherwise: u64,
    free: u64,
    /// Work that was possible in the nanoseconds until `free` and is not used up.
    spare: u64,
}

impl Profile {
    pub(crate) fn new(trace: &Trace, otherwise: Option<Rate>, free: u64) -> Profile {
        Profile {
            rows: Rows::new(trace),
            otherwise: otherwise.map_or(UNLIMITED, Rate::as_bit),
            free,
            spare: 0,
        }
    }

    pub(crate) fn start(&mut self, origin: u64) {
        self.rows.start(origin);
    }

    pub(crate) fn free(&self) -> u64 {
        self.free
    }

    pub(crate) fn serve(&mut self, arrival: u64, length: usize) -> u64 {
        if arrival > self.free {
            (self.free, self.spare) = (arrival, 0);
        }
        let work = (length as u64 * PER_BYTE).saturating_sub(self.spare);
        (self.free, self.spare) = self.rows.work(self.free, work, self.otherwise);
        self.free
    }

    pub(crate) fn overtake(&mut self, now: u64, length: usize) -> u64 {
        let mut ahead = self.rows.clone();
        let (due, _) = ahead.work(now, length as u64 * PER_BYTE, self.otherwise);
        due.min(self.serve(now, length))
    }
}

/// A table and a place in it.
#[derive(Clone)]
struct Rows {
    trace: Trace,
    origin: u64,
    row: usize,
    /// Times at which the row begins and ends.
    begin: u64,
    end: u64,
}

impl Rows {
    fn new(trace: &Trace) -> Rows {
        Rows {
            trace: trace.clone(),
            origin: 0,
            row: 0,
            begin: 0,
            end: 0,
        }
    }

    fn start(&mut self, origin: u64) {
        self.origin = origin;
        (self.begin, self.end) = (origin, origin);
        self.go_to(origin);
    }

    fn table(&self) -> &TraceTable {
        match self.trace.kind() {
            TraceKind::Table(table) => table,
            TraceKind::Deliveries(_) => unreachable!("made of a table"),
        }
    }

    /// Goes to the row of a time.
    fn go_to(&mut self, time: u64) {
        if (self.begin..self.end).contains(&time) {
            return;
        }
        let period = self.table().period();
        let since = time.saturating_sub(self.origin);
        let round = self.origin + since / period * period;
        let within = since % period;
        let rows = &self.table().rows;
        let row = rows.partition_point(|row| row.at.as_nanos() as u64 <= within) - 1;
        let begin = rows[row].at.as_nanos() as u64;
        let next = rows.get(row + 1).map(|row| row.at.as_nanos() as u64);
        let end = next.unwrap_or(period);
        self.row = row;
        self.begin = round.saturating_add(begin);
        self.end = round.saturating_add(end);
    }

    /// Returns the time at which work is done that begins at a time, and the work that could have
    /// been done besides by then.
    fn work(&mut self, begin: u64, mut work: u64, otherwise: u64) -> (u64, u64) {
        let mut time = begin;
        loop {
            self.go_to(time);
            let rate = self.table().rows[self.row].rate;
            let rate = rate.map_or(otherwise, Rate::as_bit);
            if rate == UNLIMITED {
                return (time, 0);
            }
            let possible = rate.saturating_mul(self.end - time);
            if possible >= work && rate > 0 {
                let needed = work.div_ceil(rate);
                return (time + needed, needed * rate - work);
            }
            if self.end == u64::MAX {
                return (u64::MAX, 0);
            }
            work -= possible;
            time = self.end;
        }
    }
}

/// The delay and the loss at a time, where a trace says so.
pub(crate) struct Conditions {
    origin: Option<u64>,
    rows: Option<Rows>,
    /// Loss of each row of the table.
    loss: Vec<Option<Threshold>>,
}

impl Conditions {
    pub(crate) fn of(impairment: &Impairment) -> Conditions {
        let mut conditions = Conditions {
            origin: None,
            rows: None,
            loss: Vec::new(),
        };
        let Some(trace) = &impairment.trace else {
            return conditions;
        };
        if let TraceKind::Table(table) = trace.kind() {
            conditions.rows = Some(Rows::new(trace));
            conditions.loss = table
                .rows
                .iter()
                .map(|row| row.loss.map(Threshold::of))
                .collect();
        }
        conditions
    }

    pub(crate) fn origin(&self) -> Option<u64> {
        self.origin
    }

    pub(crate) fn start(&mut self, origin: u64) {
        self.origin = Some(origin);
        if let Some(rows) = &mut self.rows {
            rows.start(origin);
        }
    }

    pub(crate) fn loss(&mut self, now: u64) -> Option<Threshold> {
        let rows = self.rows.as_mut()?;
        rows.go_to(now);
        self.loss[rows.row]
    }

    /// Returns the delay at a time, in nanoseconds, where the trace says one.
    pub(crate) fn delay(&mut self, now: u64) -> Option<u64> {
        let rows = self.rows.as_mut()?;
        rows.go_to(now);
        let delay = rows.table().rows[rows.row].delay?;
        Some(delay.as_nanos() as u64)
    }
}
