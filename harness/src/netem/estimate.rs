//! Counters of a link, worked out from what the kernel counts of its disciplines.
//!
//! The kernel has one number for everything that a discipline drops, and none for duplicates or
//! for lengths of lost packets. What entered the link is known from its interface. Packets that
//! entered have left, are held or were dropped: from that the other numbers follow.

use crate::model::impair::{Cause, Counters, Impairment, Lost, Percent, Traffic};

/// Returns the cause that dropped packets of a link with this impairment are counted by.
///
/// The cause is a guess where packets are lost by chance and the queue overflows as well.
pub(super) fn main_cause(impairment: &Impairment) -> Cause {
    // Without `..`, so that the compiler names this place for a new field that loses packets. netem
    // does not do `lose_every` and `mtu`.
    let Impairment {
        delay: _,
        jitter: _,
        loss,
        loss_bursts,
        lose_every: _,
        duplicate: _,
        reorder: _,
        corrupt: _,
        rate: _,
        burst: _,
        queue: _,
        mtu: _,
        trace: _,
    } = impairment;
    if *loss != Percent::ZERO {
        Cause::Loss
    } else if loss_bursts.is_some() {
        Cause::Burst
    } else {
        Cause::Queue
    }
}

/// Completes `counters`, which has what the kernel counts, by what has entered the link.
/// `duplicates` is whether the link has ever duplicated packets.
pub(super) fn complete(mut counters: Counters, entered: Traffic, duplicates: bool) -> Counters {
    let lost = counters.lost.total().packets;
    let out = |of: fn(Traffic) -> u64| of(counters.delivered) + of(counters.queued);
    let (packets, bytes) = (out(|of| of.packets), out(|of| of.bytes));
    if duplicates {
        let twice = (packets + lost).saturating_sub(entered.packets);
        counters.duplicated = Traffic {
            packets: twice,
            // Where nothing was lost the surplus of bytes is that of the duplicates. Otherwise
            // duplicates are taken to be of the average length.
            bytes: match lost {
                0 => bytes.saturating_sub(entered.bytes),
                _ => twice * entered.bytes / entered.packets.max(1),
            },
        };
    }
    let twice = counters.duplicated;
    if lost > 0 {
        let gone = (entered.bytes + twice.bytes).saturating_sub(bytes);
        share_out(gone, &mut counters.lost);
    }
    // `entered` itself is not taken: its counter was read at another moment, and the books must
    // balance.
    counters.sent = Traffic {
        packets: packets + lost - twice.packets,
        bytes: (bytes + counters.lost.total().bytes).saturating_sub(twice.bytes),
    };
    counters
}

/// Gives each cause its share of the lost bytes, in proportion to its packets.
fn share_out(bytes: u64, lost: &mut Lost) {
    let packets = lost.total().packets;
    let mut left = bytes;
    for cause in Cause::ALL {
        let of = lost.by_mut(cause);
        of.bytes = if of.packets == packets {
            bytes
        } else {
            left.min(bytes * of.packets / packets)
        };
        left -= of.bytes;
    }
}
