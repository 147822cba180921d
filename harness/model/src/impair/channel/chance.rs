//! Chances: the questions of an impairment that are asked of each packet.
//!
//! Questions that netem asks as well mean the same here (net/sched/sch_netem.c, netem_enqueue), so
//! that a test passes with either carrier.

use std::sync::Arc;

use super::draw::{Draw, Threshold};
use super::flow::{Flow, Turn};
use crate::impair::counters::Cause;
use crate::impair::impairment::Impairment;
use crate::impair::jitter::Jitter;
use crate::impair::loss::GilbertElliott;
use crate::impair::percent::Percent;
use crate::impair::quantiles::SCALE;
use crate::packet::ethernet::{EthernetHeader, HEADER_LENGTH};
use crate::packet::ip::IpVersion;

/// The chances of an impairment, and the other questions that are asked of each packet by itself.
pub(crate) struct Odds {
    pub(crate) loss: Threshold,
    pub(crate) duplicate: Threshold,
    pub(crate) reorder: Threshold,
    /// Delay, in nanoseconds.
    pub(crate) delay: u64,
    bursts: Option<Bursts>,
    every: Option<u32>,
    correlation: Threshold,
    gap: u32,
    reorders: bool,
    corrupts: bool,
    corrupt: Threshold,
    spread: Spread,
    /// Length of the largest IP packet that passes, in bytes.
    mtu: Option<usize>,
}

struct Bursts {
    begin: Threshold,
    end: Threshold,
    loss_in_bad: Threshold,
    loss_in_good: Threshold,
}

/// Jitter, in nanoseconds.
enum Spread {
    None,
    Uniform(u64),
    Quantiles { spread: i64, table: Arc<[i16]> },
}

impl Bursts {
    fn of(bursts: GilbertElliott) -> Self {
        let GilbertElliott {
            p,
            r,
            loss_in_bad,
            loss_in_good,
        } = bursts;
        Self {
            begin: Threshold::of(p),
            end: Threshold::of(r),
            loss_in_bad: Threshold::of(loss_in_bad),
            loss_in_good: Threshold::of(loss_in_good),
        }
    }
}

impl Odds {
    pub(crate) fn of(impairment: &Impairment) -> Self {
        // Without `..`, so that a new field has to be thought of here, or in the parts of the
        // channel that see to the fields which are left out.
        let Impairment {
            delay,
            jitter,
            loss,
            loss_bursts,
            lose_every,
            duplicate,
            reorder,
            corrupt,
            rate: _,  // `Bottleneck::of`
            burst: _, // `Bottleneck::of`
            queue: _, // `HeldPackets::new`
            mtu,
            trace: _, // `Conditions::of` and `Bottleneck::of`
        } = impairment;
        Self {
            loss: Threshold::of(*loss),
            duplicate: Threshold::of(*duplicate),
            reorder: Threshold::of(reorder.percent),
            delay: delay.as_nanos() as u64,
            bursts: loss_bursts.map(Bursts::of),
            every: *lose_every,
            correlation: Threshold::of(reorder.correlation),
            gap: reorder.gap.max(1),
            reorders: !reorder.is_none(),
            corrupts: *corrupt != Percent::ZERO,
            corrupt: Threshold::of(*corrupt),
            spread: Spread::of(jitter),
            mtu: mtu.map(|mtu| mtu as usize),
        }
    }

    pub(crate) fn is_too_large(&self, frame: &[u8]) -> bool {
        self.mtu
            .filter(|mtu| frame.len() > *mtu)
            .is_some_and(|mtu| {
                EthernetHeader::read(frame).is_some_and(|ethernet| {
                    let is_ip = IpVersion::of_ethertype(ethernet.ethertype).is_some();
                    is_ip && frame.len() - ethernet.length > mtu
                })
            })
    }

    /// Returns why a packet is lost, if it is. The state of the flow goes on in either case.
    pub(crate) fn lost(&self, loss: Threshold, flow: &mut Flow, turn: &Turn) -> Option<Cause> {
        let lost = self.lost_again(loss, turn);
        if let Some(bursts) = &self.bursts {
            let change = if flow.is_bad {
                bursts.end
            } else {
                bursts.begin
            };
            flow.is_bad ^= turn.hits(Draw::BurstChange, change);
        }
        let Some(every) = self.every else {
            return lost;
        };
        flow.since_lost += 1;
        if flow.since_lost >= every {
            flow.since_lost = 0;
            lost.or(Some(Cause::Every))
        } else {
            lost
        }
    }

    /// Returns why chance loses a packet, if it does. The state of the flow stays as it is.
    pub(crate) fn lost_again(&self, loss: Threshold, turn: &Turn) -> Option<Cause> {
        if turn.hits(Draw::Loss, loss) {
            return Some(Cause::Loss);
        }
        let bursts = self.bursts.as_ref()?;
        let loss = if turn.found_bad {
            bursts.loss_in_bad
        } else {
            bursts.loss_in_good
        };
        turn.hits(Draw::BurstLoss, loss).then_some(Cause::Burst)
    }

    /// Returns whether a packet overtakes those before it.
    pub(crate) fn overtakes(&self, flow: &mut Flow, turn: &mut Turn) -> bool {
        if !self.reorders {
            return false;
        }
        turn.may_overtake = flow.since_reordered >= self.gap - 1;
        if !turn.may_overtake {
            flow.since_reordered += 1;
            return false;
        }
        let overtakes = if turn.hits(Draw::ReorderAgain, self.correlation) {
            flow.was_reordered
        } else {
            turn.hits(Draw::Reorder, self.reorder)
        };
        flow.was_reordered = overtakes;
        flow.since_reordered = if overtakes {
            0
        } else {
            flow.since_reordered.saturating_add(1)
        };
        overtakes
    }

    /// Returns the delay of one packet, jitter included, in nanoseconds.
    pub(crate) fn delay_of(&self, delay: u64, turn: &Turn) -> u64 {
        let random = || turn.draw(Draw::Jitter);
        let scaled = |range: u64| ((u128::from(random()) * u128::from(range)) >> 64) as u64;
        match &self.spread {
            Spread::None => delay,
            Spread::Uniform(spread) => (delay + scaled(2 * spread)).saturating_sub(*spread),
            Spread::Quantiles { spread, table } => {
                let quantile = i64::from(table[scaled(table.len() as u64) as usize]);
                delay.saturating_add_signed(spread * quantile / SCALE)
            }
        }
    }

    /// Returns the byte of a frame, and the bit in it, that is spoiled, if one is.
    pub(crate) fn flip(&self, turn: &Turn, length: usize) -> Option<(usize, u8)> {
        if !self.corrupts || length <= HEADER_LENGTH || !turn.hits(Draw::Corrupt, self.corrupt) {
            return None;
        }
        let bits = (length - HEADER_LENGTH) as u64 * 8;
        let bit = ((u128::from(turn.draw(Draw::CorruptBit)) * u128::from(bits)) >> 64) as usize;
        Some((HEADER_LENGTH + bit / 8, 1 << (bit % 8)))
    }
}

impl Spread {
    fn of(jitter: &Jitter) -> Spread {
        let spread = jitter.spread().as_nanos() as u64;
        match jitter.quantiles() {
            _ if spread == 0 => Spread::None,
            None => Spread::Uniform(spread),
            Some(table) => Spread::Quantiles {
                spread: spread as i64,
                table: table.into(),
            },
        }
    }
}
