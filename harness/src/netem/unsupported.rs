//! What netem cannot do: impairments without an option of netem's, or with another meaning there.
//!
//! An engine that does something similar to what was asked for would make two engines disagree
//! about a test. So these impairments are refused, and the topology's engine is chosen by that.

use std::fmt;
use std::time::Duration;

use super::ETHERNET_HEADER;
use crate::model::impair::text::show_duration;
use crate::model::impair::{Impairment, Percent, Rate};

/// Widest jitter, in nanoseconds: `tabledist` of net/sched/sch_netem.c takes an `s32`.
const WIDEST_JITTER: u128 = i32::MAX as u128;

/// Longest time in which a bucket may fill, in nanoseconds. The kernel tells the burst of a `tbf`
/// as a time, in 32 bits and units of 64 ns (`PSCHED_SHIFT`, include/net/pkt_sched.h), so what is
/// longer cannot be read back.
const SLOWEST_BUCKET: u128 = 64 << 32;

/// One value of an impairment that netem cannot do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unsupported {
    /// A loss of every n-th packet.
    LoseEvery,
    /// A largest packet.
    Mtu,
    /// A trace.
    Trace,
    /// A queue limit in bytes; netem's is in packets.
    ByteQueue { bytes: u64 },
    /// A correlation of reordering. netem applies it to its random numbers, which changes how many
    /// packets are reordered.
    ReorderCorrelation(Percent),
    /// Reordering with a rate that netem itself keeps: packets that are reordered skip the rate.
    ReorderWithRate(Rate),
    /// A jitter beyond netem's range.
    WideJitter(Duration),
    /// A bucket that is smaller than a frame: a `tbf` drops what its bucket cannot hold.
    SmallBurst { burst: u32, mtu: u32 },
    /// A rate that is no whole number of bytes per second.
    RateNotInBytes(Rate),
    /// A bucket that fills too slowly to be read back.
    SlowBucket { burst: u32, rate: Rate },
}

/// Returns the first value of an impairment that netem cannot do on a link with that MTU.
pub(crate) fn find_unsupported(impairment: &Impairment, mtu: u32) -> Option<Unsupported> {
    // Without `..`, so that a new field has to be thought of here.
    let Impairment {
        delay: _,
        jitter,
        loss: _,
        loss_bursts: _,
        lose_every,
        duplicate: _,
        reorder,
        corrupt: _,
        rate,
        burst,
        queue,
        mtu: largest_packet,
        trace,
    } = impairment;
    if lose_every.is_some() {
        return Some(Unsupported::LoseEvery);
    }
    if largest_packet.is_some() {
        return Some(Unsupported::Mtu);
    }
    if trace.is_some() {
        return Some(Unsupported::Trace);
    }
    if let Some(bytes) = queue.bytes {
        return Some(Unsupported::ByteQueue { bytes });
    }
    if reorder.correlation != Percent::ZERO {
        return Some(Unsupported::ReorderCorrelation(reorder.correlation));
    }
    // netem puts a reordered packet in front of its queue with the present time, before the branch
    // that adds the rate's delay (net/sched/sch_netem.c, netem_enqueue).
    if let (false, Some(rate), None) = (reorder.is_none(), rate, burst) {
        return Some(Unsupported::ReorderWithRate(*rate));
    }
    if jitter.spread().as_nanos() > WIDEST_JITTER {
        return Some(Unsupported::WideJitter(jitter.spread()));
    }
    // A `tbf` drops a packet that is longer than its bucket (net/sched/sch_tbf.c, tbf_enqueue).
    if let Some(burst) = burst.filter(|burst| *burst < mtu + ETHERNET_HEADER) {
        return Some(Unsupported::SmallBurst { burst, mtu });
    }
    rate.and_then(|rate| find_unsupported_rate(rate, *burst))
}

fn find_unsupported_rate(rate: Rate, burst: Option<u32>) -> Option<Unsupported> {
    if !rate.as_bit().is_multiple_of(8) {
        return Some(Unsupported::RateNotInBytes(rate));
    }
    let burst = burst?;
    let fills_in = u128::from(burst) * 8_000_000_000 / u128::from(rate.as_bit().max(1));
    (fills_in >= SLOWEST_BUCKET).then_some(Unsupported::SlowBucket { burst, rate })
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoseEvery => f.write_str("`lose_every`, which netem has no word for"),
            Self::Mtu => f.write_str("`mtu`, which netem has no word for"),
            Self::Trace => f.write_str("a trace, which netem has no word for"),
            Self::ByteQueue { bytes } => {
                write!(f, "a queue of {bytes} B, which netem has no word for")
            }
            Self::ReorderCorrelation(share) => write!(
                f,
                "a reorder with a correlation of {share}: netem's would change how many packets \
                 are reordered"
            ),
            Self::ReorderWithRate(rate) => write!(
                f,
                "a reorder with a rate of {rate} and no burst: netem's reordered packets do not \
                 count for the rate"
            ),
            Self::WideJitter(spread) => write!(
                f,
                "a jitter of {}: netem's is at most {WIDEST_JITTER} ns",
                show_duration(*spread)
            ),
            Self::SmallBurst { burst, mtu } => write!(
                f,
                "a burst of {burst} B on a link whose MTU is {mtu}: a frame can be larger than that"
            ),
            Self::RateNotInBytes(rate) => write!(
                f,
                "a rate of {rate}: netem counts in bytes, so rates are multiples of 8 bit/s"
            ),
            Self::SlowBucket { burst, rate } => write!(
                f,
                "a burst of {burst} B at {rate}: a bucket must fill within {} s",
                SLOWEST_BUCKET / 1_000_000_000
            ),
        }
    }
}
