//! What netem and the token bucket filter are told, and what the kernel says of it.
//!
//! The numbers are those of `linux/pkt_sched.h`. Times are in nanoseconds, rates in bytes per second, probabilities in parts of 2³² − 1.

use super::discipline::QdiscEntry;
use crate::netlink::encoding::{self, Attributes, words};

/// What netem is told. A value that is left out of a change would stay as it was, so all of them are always sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetemOptions {
    /// How long each packet takes.
    pub latency: i64,
    /// How that is spread; netem has 31 bits for it.
    pub jitter: i64,
    /// How many packets are held.
    pub limit: u32,
    /// Independent loss.
    pub loss: u32,
    /// The Gilbert–Elliott model instead of it.
    pub bursts: Option<NetemLossModel>,
    /// How many packets are sent twice.
    pub duplicate: u32,
    /// How many packets are sent at once. Only if there is a gap.
    pub reorder: u32,
    /// Each how-manieth packet may be sent at once; 0: none.
    pub gap: u32,
    /// How many packets have a bit flipped.
    pub corrupt: u32,
    /// 0: no limit.
    pub rate: u64,
    /// Where chance starts. Kernels before 6.6 take no seed, and say none.
    pub seed: Option<u64>,
}

/// The Gilbert–Elliott model as netem has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetemLossModel {
    /// From the good state to the bad one.
    pub begin: u32,
    /// And back.
    pub end: u32,
    /// How many packets pass in the bad state.
    pub pass_in_bad: u32,
    /// How many packets are lost in the good state.
    pub loss_in_good: u32,
}

/// What the token bucket filter is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TbfOptions {
    /// How fast tokens come.
    pub rate: u64,
    /// How many there can be, in bytes. No packet may be larger.
    pub burst: u32,
}

/// `TCA_NETEM_*`
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
    /// `NETEM_LOSS_GE`, within `LOSS`.
    pub(super) const LOSS_GE: u16 = 2;
    /// The length of `struct tc_netem_qopt`: attributes follow it.
    pub(super) const FIXED: usize = 24;
}

/// `TCA_TBF_*`
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

/// In the kernel's older unit: 64 ns.
fn ticks(nanoseconds: u64) -> u32 {
    u32::try_from(nanoseconds >> 6).unwrap_or(u32::MAX)
}

/// What fits a number of 32 bits, and the whole if that does not.
fn split(rate: u64) -> (u32, Option<u64>) {
    match u32::try_from(rate) {
        Ok(rate) => (rate, None),
        Err(_) => (u32::MAX, Some(rate)),
    }
}

impl NetemOptions {
    pub(super) fn write(&self, table: Option<&[i16]>) -> Vec<u8> {
        let (rate, rate64) = split(self.rate);
        let fixed = words(&[
            ticks(self.latency.unsigned_abs()),
            self.limit,
            self.loss,
            self.gap,
            self.duplicate,
            ticks(self.jitter.unsigned_abs()),
        ]);
        let mut attributes = Attributes(fixed)
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
            attributes = attributes.with(netem::DELAY_DIST, &values);
        }
        attributes.0
    }

    /// What the kernel says of a netem: everything but the table of its jitter. `None` if it is not one, or cannot be read.
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
        let rate = long(netem::RATE64).or(first(netem::RATE).map(u64::from));
        let model = encoding::find(attributes, netem::LOSS)
            .and_then(|models| encoding::find(models, netem::LOSS_GE));
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
        /// `TC_LINKLAYER_ETHERNET`, the second byte of `struct tc_ratespec`: without it there has to be a table of times.
        const ETHERNET: u32 = u32::from_ne_bytes([0, 1, 0, 0]);
        let (rate, rate64) = split(self.rate);
        // Two of that structure, the second for a peak rate; then limit, buffer, mtu.
        let spec = [ETHERNET, 0, rate];
        let parms = [&spec[..], &[0; 3], &[0, ticks(self.buffer()), 0]].concat();
        let mut attributes = Attributes::new().with(tbf::PARMS, &words(&parms));
        if let Some(rate) = rate64 {
            attributes = attributes.with(tbf::RATE64, &rate.to_ne_bytes());
        }
        attributes.with(tbf::BURST, &self.burst.to_ne_bytes()).0
    }

    /// The time in which the bucket fills.
    fn buffer(&self) -> u64 {
        let nanoseconds = u128::from(self.burst) * 1_000_000_000 / u128::from(self.rate.max(1));
        u64::try_from(nanoseconds).unwrap_or(u64::MAX)
    }

    /// What the kernel says of a token bucket filter. It says the burst as a time, in units of 64 ns, so that is as
    /// exact as that. `None` if it is not one, or cannot be read.
    pub fn read(entry: &QdiscEntry) -> Option<Self> {
        if entry.kind != "tbf" {
            return None;
        }
        let parms = encoding::find(&entry.options, tbf::PARMS)?;
        let rate =
            encoding::find(&entry.options, tbf::RATE64).and_then(|rate| encoding::u64_at(rate, 0));
        let rate = rate.or(encoding::u32_at(parms, 8).map(u64::from))?;
        let nanoseconds = u128::from(encoding::u32_at(parms, 28)?) << 6;
        let burst = nanoseconds * u128::from(rate) / 1_000_000_000;
        Some(TbfOptions {
            rate,
            burst: u32::try_from(burst).unwrap_or(u32::MAX),
        })
    }

    /// By how much the burst that is read may differ from the one that was set: two of the kernel's units of time.
    pub fn precision(&self) -> u32 {
        let bytes = u128::from(self.rate) * 128 / 1_000_000_000;
        u32::try_from(bytes + 1).unwrap_or(u32::MAX)
    }
}
