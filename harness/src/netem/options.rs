//! An impairment in the kernel's words.

use std::sync::LazyLock;

use crate::impair::Impairment;
use crate::impair::Jitter;
use crate::impair::QueueLimit;
use crate::kernel::qdisc::{Bursts, NetemOptions, TbfOptions};
use crate::model::impair::quantiles::SCALE;

/// A rate in bytes per second at which nothing has to wait: a packet takes a nanosecond.
const ENDLESS: u64 = 1 << 40;

/// A filter that lets through all that comes.
const OPEN: TbfOptions = TbfOptions {
    rate: ENDLESS,
    burst: u32::MAX,
};

/// Uniform jitter as a table. netem needs none for it, but does not forget one that it was given.
static UNIFORM: LazyLock<Box<[i16]>> =
    LazyLock::new(|| (-SCALE..SCALE).map(|value| value as i16).collect());

/// In parts of 2³² − 1.
fn parts(fraction: f64) -> u32 {
    (fraction * f64::from(u32::MAX)).round() as u32
}

pub(super) fn options(impairment: &Impairment, seed: u64) -> NetemOptions {
    let loss = impairment.loss.fraction();
    // netem loses independently or in bursts. Both together are the latter with other probabilities.
    let bursts = impairment.bursts.map(|of| Bursts {
        begin: parts(of.p.fraction()),
        end: parts(of.r.fraction()),
        pass_in_bad: parts((1.0 - of.loss_in_bad.fraction()) * (1.0 - loss)),
        loss_in_good: parts(1.0 - (1.0 - of.loss_in_good.fraction()) * (1.0 - loss)),
    });
    let rate = match (impairment.rate, impairment.burst) {
        (None, _) => 0,
        (Some(rate), None) => rate.as_bit() / 8,
        // What waits for tokens stays in order, whatever the jitter; and with a rate netem takes packets from their sender's account.
        (Some(_), Some(_)) => ENDLESS,
    };
    let reorder = &impairment.reorder;
    NetemOptions {
        latency: impairment.delay.as_nanos() as i64,
        jitter: impairment.jitter.spread().as_nanos() as i64,
        limit: held(impairment.queue),
        loss: match bursts {
            None => parts(loss),
            Some(_) => 0,
        },
        bursts,
        duplicate: parts(impairment.duplicate.fraction()),
        reorder: parts(reorder.percent.fraction()),
        gap: match reorder.is_none() {
            true => 0,
            false => reorder.gap.max(1),
        },
        corrupt: parts(impairment.corrupt.fraction()),
        rate,
        seed: Some(seed),
    }
}

fn held(queue: QueueLimit) -> u32 {
    let most = QueueLimit::MOST_PACKETS;
    queue.packets.map_or(most, |packets| packets.min(most))
}

pub(super) fn filter(impairment: &Impairment) -> TbfOptions {
    match (impairment.rate, impairment.burst) {
        (Some(rate), Some(burst)) => TbfOptions {
            rate: rate.as_bit() / 8,
            burst,
        },
        _ => OPEN,
    }
}

pub(super) fn table(jitter: &Jitter, has_table: bool) -> Option<&[i16]> {
    match jitter.quantiles() {
        _ if jitter.is_none() => None,
        None if has_table => Some(&UNIFORM),
        table => table,
    }
}
