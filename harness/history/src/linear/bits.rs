//! Sets of small numbers, of which there are as many as configurations.

/// A set of small numbers. Up to 64 of them need no allocation.
///
/// Words at the end are never zero, so that equal sets are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Bits {
    first: u64,
    rest: Vec<u64>,
}

impl Bits {
    pub(super) fn contains(&self, number: usize) -> bool {
        let word = match number / 64 {
            0 => self.first,
            place => self.rest.get(place - 1).copied().unwrap_or(0),
        };
        word >> (number % 64) & 1 == 1
    }

    pub(super) fn insert(&mut self, number: usize) {
        let bit = 1 << (number % 64);
        match number / 64 {
            0 => self.first |= bit,
            place => {
                if self.rest.len() < place {
                    self.rest.resize(place, 0);
                }
                self.rest[place - 1] |= bit;
            }
        }
    }

    pub(super) fn remove(&mut self, number: usize) {
        let bit = 1 << (number % 64);
        match number / 64 {
            0 => self.first &= !bit,
            place if place <= self.rest.len() => self.rest[place - 1] &= !bit,
            _ => {}
        }
        while self.rest.last() == Some(&0) {
            self.rest.pop();
        }
    }

    /// Returns whether each number of this set is in `other`.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.first & !other.first == 0
            && self.rest.len() <= other.rest.len()
            && self.rest.iter().zip(&other.rest).all(|(a, b)| a & !b == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_are_equal_values() {
        let mut a = Bits::default();
        for number in [0, 63, 64, 200] {
            a.insert(number);
            assert!(a.contains(number) && !a.contains(number + 1));
        }
        let mut b = a.clone();
        b.insert(1000);
        assert!(a.is_within(&b) && !b.is_within(&a));
        b.remove(1000);
        assert_eq!(a, b);
    }
}
