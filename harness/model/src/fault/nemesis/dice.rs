//! Choices drawn from a seed.

use std::time::Duration;

use crate::random::below;

/// A source of choices: the same seed makes the same ones.
#[derive(Clone, Debug)]
pub(super) struct FaultDice {
    state: u64,
}

impl FaultDice {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns a number below `limit`, or 0 where the limit is 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        below(&mut self.state, limit)
    }

    /// Returns a place in a list of this length.
    pub(super) fn place(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// Returns a time between two times, in whole milliseconds, so that a schedule can be read.
    pub(super) fn time(&mut self, least: Duration, most: Duration) -> Duration {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (least, most) = (ms(least), ms(most));
        Duration::from_millis(least + self.below(most.saturating_sub(least).saturating_add(1)))
    }

    /// Returns a list in another order.
    pub(super) fn shuffled<T: Clone>(&mut self, list: &[T]) -> Vec<T> {
        let mut list = list.to_vec();
        for last in (1..list.len()).rev() {
            let other = self.place(last + 1);
            list.swap(last, other);
        }
        list
    }

    /// Returns the place of an item, each with the probability that its weight says.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let mut point = self.below(weights.clone().map(u64::from).sum());
        for (place, weight) in weights.enumerate() {
            match point.checked_sub(weight.into()) {
                Some(rest) => point = rest,
                None => return place,
            }
        }
        0
    }
}
