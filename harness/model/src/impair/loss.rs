//! Loss in bursts.

use serde::{Deserialize, Serialize};

use super::percent::Percent;

/// Loss in bursts, after Gilbert and Elliott: a link is in a good state or in a bad one, and each packet finds it in one of them.
///
/// A packet is lost with the probability of the state that it finds; then the state may change. Every flow starts in the good
/// state. It is netem's `loss gemodel p r 1-h 1-k`.
///
/// ```
/// use snowglobe_model::impair::{GilbertElliott, Percent};
///
/// // One burst in a thousand packets, four packets long: all of them are lost.
/// let bursts = GilbertElliott::simple(Percent(0.1), Percent(25.0));
/// assert_eq!(bursts.mean_burst(), 4.0);
///
/// // The same from what one sees of a link: 2 % are lost, in bursts of 8.
/// let bursts = GilbertElliott::of(Percent(2.0), 8.0);
/// assert!((bursts.mean_loss().0 - 2.0).abs() < 1e-9);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GilbertElliott {
    /// The probability of going from the good state to the bad one, with each packet.
    pub p: Percent,
    /// The probability of going back.
    pub r: Percent,
    /// How many packets are lost in the bad state: 1 − h.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub loss_in_bad: Percent,
    /// How many packets are lost in the good state: 1 − k.
    #[serde(default, skip_serializing_if = "is_none")]
    pub loss_in_good: Percent,
}

fn all() -> Percent {
    Percent(100.0)
}

fn is_all(share: &Percent) -> bool {
    *share == all()
}

fn is_none(share: &Percent) -> bool {
    *share == Percent::ZERO
}

impl GilbertElliott {
    /// The simple Gilbert model: everything is lost in the bad state, nothing in the good one.
    pub const fn simple(p: Percent, r: Percent) -> Self {
        GilbertElliott {
            p,
            r,
            loss_in_bad: Percent(100.0),
            loss_in_good: Percent(0.0),
        }
    }

    /// The simple Gilbert model that loses this share of all packets in bursts of this many, on average.
    ///
    /// Not every pair can be: bursts are at least 1 long, and between two of them at least one packet passes. What is impossible
    /// is refused with the impairment that it is part of.
    pub fn of(loss: Percent, mean_burst: f64) -> Self {
        let back = 1.0 / mean_burst;
        let there = match loss.fraction() {
            0.0 => 0.0,
            loss => back * loss / (1.0 - loss),
        };
        GilbertElliott::simple(Percent(there * 100.0), Percent(back * 100.0))
    }

    /// How many packets find the link in the bad state, on average.
    pub fn share_of_bad(&self) -> Percent {
        match self.p.0 + self.r.0 {
            0.0 => Percent::ZERO,
            both => Percent(100.0 * self.p.0 / both),
        }
    }

    /// How many packets are lost, on average.
    pub fn mean_loss(&self) -> Percent {
        let bad = self.share_of_bad().fraction();
        Percent(self.loss_in_bad.0 * bad + self.loss_in_good.0 * (1.0 - bad))
    }

    /// How many packets find the link in the bad state before one finds it in the good state again, on average.
    pub fn mean_burst(&self) -> f64 {
        1.0 / self.r.fraction()
    }

    /// How many packets find the link in the good state between two bursts, on average.
    pub fn mean_gap(&self) -> f64 {
        1.0 / self.p.fraction()
    }
}
