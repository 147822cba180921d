//! A rate: packets that come faster than it wait for their turn.
//!
//! A rate may be a constant, as a line or as a token bucket, or follow a trace. The channel asks
//! all of them the same question: when is a packet through?

use super::schedule::{Opportunities, Profile};
use super::work::PER_BYTE;
use crate::impair::impairment::Impairment;
use crate::impair::trace::TraceKind;

pub(crate) enum Bottleneck {
    None,
    Line(RateLine),
    Bucket(Bucket),
    Opportunities(Opportunities),
    Profile(Profile),
}

impl Bottleneck {
    /// Returns the bottleneck of an impairment. Packets wait until `free` for those that were
    /// admitted under the impairment before it.
    pub(crate) fn of(impairment: &Impairment, free: u64) -> Bottleneck {
        let trace = impairment.trace.as_ref();
        match (trace.filter(|trace| trace.has_rate()), impairment.rate) {
            (Some(trace), rate) => match trace.kind() {
                TraceKind::Deliveries(_) => {
                    Bottleneck::Opportunities(Opportunities::new(trace, free))
                }
                TraceKind::Table(_) => Bottleneck::Profile(Profile::new(trace, rate, free)),
            },
            (None, None) => Bottleneck::None,
            (None, Some(rate)) => match impairment.burst {
                None => Bottleneck::Line(RateLine::new(rate.as_bit(), free)),
                Some(burst) => Bottleneck::Bucket(Bucket::new(rate.as_bit(), burst, free)),
            },
        }
    }

    /// Starts the trace, if there is one, at the time `origin`.
    pub(crate) fn start(&mut self, origin: u64) {
        match self {
            Bottleneck::Opportunities(of) => of.start(origin),
            Bottleneck::Profile(profile) => profile.start(origin),
            Bottleneck::None | Bottleneck::Line(_) | Bottleneck::Bucket(_) => {}
        }
    }

    /// Returns the time at which a packet is through that comes at `arrival`.
    ///
    /// Packets pass in the order in which this is asked, whenever they come.
    pub(crate) fn serve(&mut self, arrival: u64, length: usize) -> u64 {
        match self {
            Bottleneck::None => arrival,
            Bottleneck::Line(line) => line.serve(arrival, length),
            Bottleneck::Bucket(bucket) => bucket.serve(arrival, length),
            Bottleneck::Opportunities(of) => of.serve(arrival, length),
            Bottleneck::Profile(profile) => profile.serve(arrival, length),
        }
    }

    /// Returns the time at which a packet is through that comes now and passes by those that wait.
    ///
    /// Packets that wait already wait no longer for it, but packets to come do: the rate stays the
    /// same.
    pub(crate) fn overtake(&mut self, now: u64, length: usize) -> u64 {
        match self {
            Bottleneck::None => now,
            Bottleneck::Line(line) => line.overtake(now, length),
            Bottleneck::Bucket(bucket) => bucket.overtake(now, length),
            Bottleneck::Opportunities(of) => of.overtake(now, length),
            Bottleneck::Profile(profile) => profile.overtake(now, length),
        }
    }

    /// Returns the time at which the last packet is through.
    pub(crate) fn free(&self) -> u64 {
        match self {
            Bottleneck::None => 0,
            Bottleneck::Line(line) => line.free,
            Bottleneck::Bucket(bucket) => bucket.last,
            Bottleneck::Opportunities(of) => of.free(),
            Bottleneck::Profile(profile) => profile.free(),
        }
    }
}

/// The time that packets take at a constant rate.
struct Pace {
    /// Bits per second.
    rate: u64,
    /// Work that the nanoseconds so far were too few for, so that many small roundings do not add
    /// up.
    rest: u64,
}

impl Pace {
    fn new(rate: u64) -> Pace {
        Pace { rate, rest: 0 }
    }

    fn take(&mut self, length: usize) -> u64 {
        let work = length as u64 * PER_BYTE + self.rest;
        self.rest = work % self.rate;
        work / self.rate
    }
}

/// A line on which bits follow each other at a rate, as with netem's `rate`
/// (net/sched/sch_netem.c, packet_time_ns).
pub(crate) struct RateLine {
    pace: Pace,
    free: u64,
}

impl RateLine {
    fn new(rate: u64, free: u64) -> RateLine {
        RateLine {
            pace: Pace::new(rate),
            free,
        }
    }

    fn serve(&mut self, arrival: u64, length: usize) -> u64 {
        self.free = self
            .free
            .max(arrival)
            .saturating_add(self.pace.take(length));
        self.free
    }

    fn overtake(&mut self, now: u64, length: usize) -> u64 {
        let time = self.pace.take(length);
        self.free = self.free.max(now).saturating_add(time);
        now.saturating_add(time)
    }
}

/// A bucket that fills with tokens at a rate, as that of tbf (net/sched/sch_tbf.c, tbf_dequeue).
///
/// A packet leaves as soon as there is a token for each of its bytes.
pub(crate) struct Bucket {
    pace: Pace,
    /// Size of the bucket, in bytes.
    size: usize,
    /// Time at which the bucket is full again.
    full: u64,
    /// Time at which the last packet left.
    last: u64,
}

impl Bucket {
    fn new(rate: u64, size: u32, free: u64) -> Bucket {
        Bucket {
            pace: Pace::new(rate),
            size: size as usize,
            full: free,
            last: free,
        }
    }

    fn serve(&mut self, arrival: u64, length: usize) -> u64 {
        // A packet that is larger than the bucket leaves when the bucket is full. The tokens that
        // it lacks have to come in before the next packet.
        let spare = self.size.saturating_sub(length) as u64 * PER_BYTE / self.pace.rate;
        let enough = self.full.saturating_sub(spare);
        self.last = arrival.max(self.last).max(enough);
        self.spend(self.last, length);
        self.last
    }

    fn overtake(&mut self, now: u64, length: usize) -> u64 {
        self.spend(now, length);
        now
    }

    fn spend(&mut self, now: u64, length: usize) {
        self.full = self.full.max(now).saturating_add(self.pace.take(length));
    }
}
