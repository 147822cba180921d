//! An impairment in the options of the kernel's two disciplines, netem and tbf.

use std::sync::LazyLock;

use crate::kernel::qdisc::{NetemLossModel, NetemOptions, TbfOptions};
use crate::model::impair::quantiles::SCALE;
use crate::model::impair::{GilbertElliott, Impairment, Jitter, Percent, QueueLimit, Reorder};

/// Rate at which nothing has to wait, in bytes per second: a packet takes about a nanosecond.
const ENDLESS: u64 = 1 << 40;

/// Options of a filter that lets everything pass at once.
const OPEN: TbfOptions = TbfOptions {
    rate: ENDLESS,
    burst: u32::MAX,
};

/// Uniform jitter as a table of quantiles.
///
/// netem is uniform without a table. But the kernel keeps a table until it is given another one
/// (net/sched/sch_netem.c, netem_change): the way back to uniform jitter is this table.
static UNIFORM: LazyLock<Box<[i16]>> =
    LazyLock::new(|| (-SCALE..SCALE).map(|value| value as i16).collect());

/// Options of both disciplines of a device, for one impairment.
pub(super) struct DisciplineOptions {
    pub(super) filter: TbfOptions,
    pub(super) netem: NetemOptions,
}

impl DisciplineOptions {
    /// Expresses an impairment that netem can do. `seed` is that of netem's random numbers.
    pub(super) fn new(impairment: &Impairment, seed: u64) -> Self {
        // Without `..`, so that a new field has to be thought of here.
        let Impairment {
            delay,
            jitter,
            loss,
            loss_bursts,
            lose_every: _, // `find_unsupported` refuses this and the other two.
            duplicate,
            reorder,
            corrupt,
            rate,
            burst,
            queue,
            mtu: _,
            trace: _,
        } = impairment;
        let Reorder {
            percent,
            gap,
            correlation: _,
        } = reorder;
        let (filter, rate) = match (rate, burst) {
            (None, _) => (OPEN, 0),
            (Some(rate), None) => (OPEN, rate.as_bit() / 8),
            // netem is given a rate too, though an endless one. With a rate netem sends packets
            // in their order whatever the jitter, which is right for packets that wait for tokens;
            // and it takes each packet from its sender's account (skb_orphan), so that a
            // socket's send buffer does not slow the sender down.
            (Some(rate), Some(burst)) => {
                let filter = TbfOptions {
                    rate: rate.as_bit() / 8,
                    burst: *burst,
                };
                (filter, ENDLESS)
            }
        };
        let netem = NetemOptions {
            latency: delay.as_nanos() as i64,
            jitter: jitter.spread().as_nanos() as i64,
            limit: limit_of(*queue),
            loss: match loss_bursts {
                None => parts(loss.fraction()),
                Some(_) => 0,
            },
            bursts: loss_bursts.map(|bursts| bursts_with(bursts, *loss)),
            duplicate: parts(duplicate.fraction()),
            reorder: parts(percent.fraction()),
            // A gap of zero is what switches netem's reordering off (netem_enqueue).
            gap: if reorder.is_none() { 0 } else { (*gap).max(1) },
            corrupt: parts(corrupt.fraction()),
            rate,
            seed: Some(seed),
        };
        Self { filter, netem }
    }
}

/// Returns a share as netem takes it: in parts of 2³² − 1, which is certain.
fn parts(fraction: f64) -> u32 {
    (fraction * f64::from(u32::MAX)).round() as u32
}

/// Returns a loss in bursts that includes an independent loss.
///
/// netem has one model of loss at a time (`loss_model`, net/sched/sch_netem.c). But a packet that
/// has to survive both has the product of both chances, in either state of the model.
fn bursts_with(bursts: GilbertElliott, loss: Percent) -> NetemLossModel {
    let GilbertElliott {
        p,
        r,
        loss_in_bad,
        loss_in_good,
    } = bursts;
    let passes = 1.0 - loss.fraction();
    NetemLossModel {
        begin: parts(p.fraction()),
        end: parts(r.fraction()),
        pass_in_bad: parts((1.0 - loss_in_bad.fraction()) * passes),
        loss_in_good: parts(1.0 - (1.0 - loss_in_good.fraction()) * passes),
    }
}

fn limit_of(queue: QueueLimit) -> u32 {
    let most = QueueLimit::MOST_PACKETS;
    queue.packets.map_or(most, |packets| packets.min(most))
}

/// Returns the table of a jitter that netem has to be given. `has_table` is whether netem was
/// given one before.
pub(super) fn jitter_table(jitter: &Jitter, has_table: bool) -> Option<&[i16]> {
    match jitter.quantiles() {
        _ if jitter.is_none() => None,
        None if has_table => Some(&UNIFORM),
        table => table,
    }
}
