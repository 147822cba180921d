//! Options of netem and the token bucket filter, written for the kernel and read back.
//!
//! The numbers are from `linux/pkt_sched.h`. Times are in nanoseconds, rates in bytes per second,
//! and probabilities in parts of 2³² − 1.

use super::discipline::QdiscEntry;
use crate::netlink::encoding::{self, Attributes, words};

/// Options of netem (`tc-netem(8)`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetemOptions {
    /// Delay of each packet, in nanoseconds.
    pub latency: i64,
    /// Spread of the delay, in nanoseconds. netem uses 31 bits.
    pub jitter: i64,
    /// Most packets that netem holds.
    pub limit: u32,
    /// Probability that a packet is lost, independent of other packets.
    pub loss: u32,
    /// Loss in bursts, in place of independent loss.
    pub bursts: Option<NetemLossModel>,
    /// Probability that a packet is sent twice.
    pub duplicate: u32,
    /// Probability that a packet is sent without delay. Counts only if there is a gap.
    pub reorder: u32,
    /// Distance between packets that may be sent without delay; 0 if no packet may.
    pub gap: u32,
    /// Probability that a bit of a packet is flipped.
    pub corrupt: u32,
    /// Rate in bytes per second; 0 if there is no limit.
    pub rate: u64,
    /// Seed of the random numbers. Kernels before 6.6 have no seed.
    pub seed: Option<u64>,
}

/// Loss in bursts by the Gilbert–Elliott model, with the four probabilities that netem has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetemLossModel {
    /// Probability of a change from the good state to the bad one, for each packet.
    pub begin: u32,
    /// Probability of a change from the bad state to the good one, for each packet.
    pub end: u32,
    /// Probability that a packet passes in the bad state.
    pub pass_in_bad: u32,
    /// Probability that a packet is lost in the good state.
    pub loss_in_good: u32,
}

/// Options of the token bucket filter (`tc-tbf(8)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TbfOptions {
    /// Rate of tokens, in bytes per second.
    pub rate: u64,
    /// Size of the bucket, in bytes. Larger packets are dropped.
    pub burst: u32,
}

/// Numbers of netem's attributes, `TCA_NETEM_*`.
mod netem {
    pub(super) const CORR: u16 = 1;
    pub(super) const DELAY_DIST: u16 = 2;
    pub(super) const REORDER: u16 = 3;
    pub(super) const CORRUPT: u16 = 4;
    pub(super) const LOSS: u16 = 5;
    pub(super) const RATE: u16 = 6;
    pub(super) const RATE64: u16 = 8;
    pub(super) const LATENCY64: u16 = 10;
    pub(super) const JITTER64: u16 = 11;
    pub(super) const PRNG_SEED: u16 = 14;
    /// Number of `NETEM_LOSS_GE`, an attribute within `LOSS`.
    pub(super) const LOSS_GE: u16 = 2;
    /// Bytes of `struct tc_netem_qopt`, which attributes follow.
    pub(super) const FIXED: usize = 24;
}

/// Numbers of the token bucket filter's attributes, `TCA_TBF_*`.
mod tbf {
    pub(super) const PARMS: u16 = 1;
    pub(super) const RATE64: u16 = 4;
    pub(super) const BURST: u16 = 6;
}

/// Returns the options of a hierarchical token bucket, which has to know its version.
pub(super) fn htb() -> Vec<u8> {
    const TCA_HTB_INIT: u16 = 2;
    // `struct tc_htb_glob`: version, rate2quantum, default class, debug, direct packets.
    // `rate2quantum` divides the rate of a class; 10 is what `tc(8)` sends.
    let glob = words(&[3, 10, 0, 0, 0]);
    Attributes::new().with(TCA_HTB_INIT, &glob).0
}

/// Converts nanoseconds to the unit of older fields: 64 ns (`net/pkt_sched.h`, `PSCHED_SHIFT`).
fn ticks(nanoseconds: u64) -> u32 {
    u32::try_from(nanoseconds >> 6).unwrap_or(u32::MAX)
}

/// Returns the rate as 32 bits, and the whole rate if 32 bits are not enough.
fn split(rate: u64) -> (u32, Option<u64>) {
    match u32::try_from(rate) {
        Ok(rate) => (rate, None),
        Err(_) => (u32::MAX, Some(rate)),
    }
}

impl NetemOptions {
    pub(super) fn write(&self, table: Option<&[i16]>) -> Vec<u8> {
        let (rate, rate64) = split(self.rate);
        // An option that a change leaves out stays as it was, so all options are always sent.
        let fixed = words(&[
            ticks(self.latency.unsigned_abs()),
            self.limit,
            self.loss,
            self.gap,
            self.duplicate,
            ticks(self.jitter.unsigned_abs()),
        ]);
        // The two old fields of time are rounded to 64 ns and end at 274 s. The kernel prefers the
        // 64-bit attributes, which exist since Linux 4.15 (net/sched/sch_netem.c, netem_change).
        let mut attributes = Attributes(fixed)
            // Correlations are sent as 0: a test needs independent chances, which a seed repeats.
            .with(netem::CORR, &words(&[0; 3]))
            .with(netem::REORDER, &words(&[self.reorder, 0]))
            .with(netem::CORRUPT, &words(&[self.corrupt, 0]))
            .with(netem::RATE, &words(&[rate, 0, 0, 0]))
            .with(netem::LATENCY64, &self.latency.to_ne_bytes())
            .with(netem::JITTER64, &self.jitter.to_ne_bytes());
        if let Some(rate) = rate64 {
            attributes = attributes.with(netem::RATE64, &rate.to_ne_bytes());
        }
        if let Some(of) = self.bursts {
            let model = [of.begin, of.end, of.pass_in_bad, of.loss_in_good];
            let model = Attributes::new().with(netem::LOSS_GE, &words(&model));
            attributes = attributes.nest(netem::LOSS, model);
        }
        if let Some(seed) = self.seed {
            attributes = attributes.with(netem::PRNG_SEED, &seed.to_ne_bytes());
        }
        if let Some(table) = table {
            let values: Vec<u8> = table.iter().flat_map(|value| value.to_ne_bytes()).collect();
            // Values of 16 bits around 0, scaled so that 8192 is one standard deviation (iproute2,
            // netem/README.distribution).
            attributes = attributes.with(netem::DELAY_DIST, &values);
        }
        attributes.0
    }

    /// Reads the options back, without the table of jitter, which the kernel does not tell.
    ///
    /// Returns `None` if the discipline is not netem, or if the options cannot be read.
    pub fn read(entry: &QdiscEntry) -> Option<Self> {
        if entry.kind != "netem" {
            return None;
        }
        let fixed = |at: usize| encoding::u32_at(&entry.options, 4 * at);
        let attributes = entry.options.get(netem::FIXED..)?;
        let first =
            |kind| encoding::find(attributes, kind).and_then(|value| encoding::u32_at(value, 0));
        let long =
            |kind| encoding::find(attributes, kind).and_then(|value| encoding::u64_at(value, 0));
        // The 32-bit field says u32::MAX if the rate does not fit.
        let rate = long(netem::RATE64).or(first(netem::RATE).map(u64::from));
        let model = encoding::find(attributes, netem::LOSS)
            .and_then(|models| encoding::find(models, netem::LOSS_GE));
        // The attribute LOSS is there only if there is a model (net/sched/sch_netem.c,
        // dump_loss_model).
        let bursts = model.and_then(|model| {
            let of = |at: usize| encoding::u32_at(model, 4 * at);
            Some(NetemLossModel {
                begin: of(0)?,
                end: of(1)?,
                pass_in_bad: of(2)?,
                loss_in_good: of(3)?,
            })
        });
        Some(NetemOptions {
            latency: long(netem::LATENCY64)?.cast_signed(),
            jitter: long(netem::JITTER64)?.cast_signed(),
            limit: fixed(1)?,
            loss: fixed(2)?,
            bursts,
            duplicate: fixed(4)?,
            reorder: first(netem::REORDER)?,
            gap: fixed(3)?,
            corrupt: first(netem::CORRUPT)?,
            rate: rate?,
            seed: long(netem::PRNG_SEED),
        })
    }
}

impl TbfOptions {
    pub(super) fn write(&self) -> Vec<u8> {
        /// `TC_LINKLAYER_ETHERNET` in the second byte of `struct tc_ratespec`. Without a link layer
        /// the kernel reads one out of a table of times (`net/sched/sch_api.c`, `qdisc_get_rtab`).
        const ETHERNET: u32 = u32::from_ne_bytes([0, 1, 0, 0]);
        let (rate, rate64) = split(self.rate);
        // `struct tc_tbf_qopt`: the rate, the peak rate, limit, buffer, mtu. With a limit of 0 the
        // filter makes no queue of its own: the discipline below is the queue.
        let spec = [ETHERNET, 0, rate];
        let parms = [&spec[..], &[0; 3], &[0, ticks(self.buffer()), 0]].concat();
        let mut attributes = Attributes::new().with(tbf::PARMS, &words(&parms));
        if let Some(rate) = rate64 {
            attributes = attributes.with(tbf::RATE64, &rate.to_ne_bytes());
        }
        attributes.with(tbf::BURST, &self.burst.to_ne_bytes()).0
    }

    /// Returns the time in which the bucket fills, in nanoseconds.
    fn buffer(&self) -> u64 {
        // The product takes 128 bits: a burst of 4 GB times 10⁹ does not fit 64.
        let nanoseconds = u128::from(self.burst) * 1_000_000_000 / u128::from(self.rate.max(1));
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }

    /// Reads the options back.
    ///
    /// The kernel tells the burst as a time in units of 64 ns, see [`TbfOptions::precision`].
    /// Returns `None` if the discipline is no token bucket filter, or if the options cannot be
    /// read.
    pub fn read(entry: &QdiscEntry) -> Option<Self> {
        if entry.kind != "tbf" {
            return None;
        }
        let parms = encoding::find(&entry.options, tbf::PARMS)?;
        let rate =
            encoding::find(&entry.options, tbf::RATE64).and_then(|rate| encoding::u64_at(rate, 0));
        let rate = rate.or(encoding::u32_at(parms, 8).map(u64::from))?;
        // `buffer` is the eighth number of `struct tc_tbf_qopt`, in units of 64 ns.
        let nanoseconds = u128::from(encoding::u32_at(parms, 28)?) << 6;
        let burst = nanoseconds * u128::from(rate) / 1_000_000_000;
        Some(TbfOptions {
            rate,
            burst: u32::try_from(burst).unwrap_or(u32::MAX),
        })
    }

    /// Returns the largest difference in bytes between the burst that was set and the one that is
    /// read back: two of the kernel's units of time.
    pub fn precision(&self) -> u32 {
        let bytes = u128::from(self.rate) * 128 / 1_000_000_000;
        u32::try_from(bytes + 1).unwrap_or(u32::MAX)
    }
}
