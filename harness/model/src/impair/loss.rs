//! Loss in bursts: radio links lose many packets in a row, and then none for a while.

use snowglobe_derive::{Deserialize, Serialize};

use super::percent::Percent;

/// Loss in bursts by a chain of two states, a good one and a bad one (E. N. Gilbert, 1960;
/// E. O. Elliott, 1963).
///
/// A packet is lost with the probability of the state that it finds; then the state may change.
/// Every flow starts in the good state. This is netem's `loss gemodel p r 1-h 1-k` (tc-netem(8)).
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
    /// Probability of going from the good state to the bad one, with each packet.
    pub p: Percent,
    /// Probability of going back, with each packet.
    pub r: Percent,
    /// Share of packets that are lost in the bad state: 1 − h.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub loss_in_bad: Percent,
    /// Share of packets that are lost in the good state: 1 − k.
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
    /// Returns the simple Gilbert model: all is lost in the bad state, nothing in the good one.
    pub const fn simple(p: Percent, r: Percent) -> Self {
        GilbertElliott {
            p,
            r,
            loss_in_bad: Percent(100.0),
            loss_in_good: Percent(0.0),
        }
    }

    /// Returns the simple Gilbert model that loses this share of all packets in bursts of this
    /// many, on average.
    ///
    /// Some pairs are impossible: bursts are at least 1 long, and between two of them at least one
    /// packet passes. Such a pair is refused when its impairment is validated.
    pub fn of(loss: Percent, mean_burst: f64) -> Self {
        let back = 1.0 / mean_burst;
        let there = match loss.fraction() {
            0.0 => 0.0,
            loss => back * loss / (1.0 - loss),
        };
        GilbertElliott::simple(Percent(there * 100.0), Percent(back * 100.0))
    }

    /// Returns the share of packets that find the link in the bad state, on average.
    pub fn share_of_bad(&self) -> Percent {
        match self.p.0 + self.r.0 {
            0.0 => Percent::ZERO,
            both => Percent(100.0 * self.p.0 / both),
        }
    }

    /// Returns the share of packets that are lost, on average.
    pub fn mean_loss(&self) -> Percent {
        let bad = self.share_of_bad().fraction();
        Percent(self.loss_in_bad.0 * bad + self.loss_in_good.0 * (1.0 - bad))
    }

    /// Returns the number of packets that find the link in the bad state before one finds it in the
    /// good state again, on average.
    pub fn mean_burst(&self) -> f64 {
        1.0 / self.r.fraction()
    }

    /// Returns the number of packets that find the link in the good state between two bursts, on
    /// average.
    pub fn mean_gap(&self) -> f64 {
        1.0 / self.p.fraction()
    }
}
