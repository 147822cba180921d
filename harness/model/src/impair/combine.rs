//! An impairment made worse by another one, as a fault does to a link that is bad already.

use super::impairment::Impairment;
use super::jitter::Jitter;
use super::percent::Percent;
use super::queue::QueueLimit;
use super::trace::Trace;

impl Impairment {
    /// Returns both at once, as if two such links followed each other.
    ///
    /// Delays add up, each link takes its share of the packets, and the lower rate and the smaller
    /// limit hold. Values that cannot be put together (the shape of jitter, bursts, reordering, a
    /// trace) are those of the other, where it has one.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use snowglobe_model::impair::{Impairment, Percent};
    ///
    /// let lossy = Impairment {
    ///     loss: Percent(10.0),
    ///     ..Impairment::delayed(Duration::from_millis(10))
    /// };
    /// let worse = lossy.worsened_by(&Impairment {
    ///     loss: Percent(50.0),
    ///     ..Impairment::delayed(Duration::from_millis(5))
    /// });
    /// assert_eq!((worse.delay, worse.loss), (Duration::from_millis(15), Percent(55.0)));
    /// ```
    pub fn worsened_by(&self, other: &Impairment) -> Impairment {
        let trace = other.trace.clone().or_else(|| self.trace.clone());
        let by_packet = trace.as_ref().is_some_and(Trace::is_by_packet);
        let timed = trace.as_ref().is_some_and(Trace::has_rate);
        let (rate, burst) = match least(self.rate, other.rate) {
            // A trace of deliveries says itself when packets pass.
            _ if by_packet => (None, None),
            rate if rate == other.rate => (rate, other.burst),
            rate => (rate, self.burst),
        };
        Impairment {
            delay: self.delay.saturating_add(other.delay),
            jitter: wider(&self.jitter, &other.jitter),
            loss: either(self.loss, other.loss),
            loss_bursts: other.loss_bursts.or(self.loss_bursts),
            lose_every: other.lose_every.or(self.lose_every),
            duplicate: either(self.duplicate, other.duplicate),
            reorder: if other.reorder.is_none() {
                self.reorder
            } else {
                other.reorder
            },
            corrupt: either(self.corrupt, other.corrupt),
            rate,
            burst: burst.filter(|_| !timed),
            queue: QueueLimit {
                packets: least(self.queue.packets, other.queue.packets),
                bytes: least(self.queue.bytes, other.queue.bytes),
            },
            mtu: least(self.mtu, other.mtu),
            trace,
        }
    }
}

/// Returns the share of packets that one share or the other hits.
fn either(a: Percent, b: Percent) -> Percent {
    Percent(a.0 + b.0 - a.0 * b.0 / 100.0)
}

fn least<T: Ord + Copy>(a: Option<T>, b: Option<T>) -> Option<T> {
    [a, b].into_iter().flatten().min()
}

fn wider(a: &Jitter, b: &Jitter) -> Jitter {
    if b.spread() >= a.spread() {
        b.clone()
    } else {
        a.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::preset;
    use super::*;

    #[test]
    fn nothing_makes_nothing_worse() {
        let lte = preset::lte();
        for one in [lte.up, lte.down, preset::lossy_cafe(), Impairment::NONE] {
            assert_eq!(one.worsened_by(&Impairment::NONE).rate, one.rate);
            let unlimited = Impairment {
                queue: QueueLimit::UNLIMITED,
                ..Impairment::NONE
            };
            assert_eq!(one.worsened_by(&unlimited), one);
            assert_eq!(unlimited.worsened_by(&one), one);
        }
    }

    #[test]
    fn the_lower_rate_comes_with_its_burst_and_a_trace_with_its_own() {
        let at = |rate, burst| Impairment {
            rate: Some(super::super::Rate::mbit(rate)),
            burst,
            ..Impairment::NONE
        };
        let worse = at(10, Some(3000)).worsened_by(&at(5, None));
        assert_eq!((worse.rate, worse.burst), (at(5, None).rate, None));
        let recorded = Impairment {
            trace: Some(Trace::parse("1\n2\n3\n").expect("a trace")),
            ..Impairment::NONE
        };
        let replayed = at(10, Some(3000)).worsened_by(&recorded);
        assert_eq!((replayed.rate, replayed.burst), (None, None));
        replayed.validate().expect("a sound impairment");
    }
}
