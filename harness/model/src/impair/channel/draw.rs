//! Random numbers of packets, and the probabilities with which they are compared.
//!
//! Each purpose has numbers of its own, so that a change of one probability leaves all other
//! decisions as they were.

use crate::impair::percent::Percent;

/// A purpose for which a packet draws a random number.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Draw {
    Loss = 1,
    BurstLoss,
    BurstChange,
    Duplicate,
    Reorder,
    ReorderAgain,
    Jitter,
    Corrupt,
    CorruptBit,
    /// Numbers of the second copy.
    Again,
}

/// A probability, to be compared with a random number.
///
/// The threshold counts in parts of 2⁵³, since a float knows no finer ones. So 100 % always hits,
/// and 0 % never.
#[derive(Clone, Copy)]
pub(crate) struct Threshold(u64);

impl Threshold {
    const BITS: u32 = 53;

    pub(crate) fn of(share: Percent) -> Threshold {
        Threshold((share.fraction() * (1u64 << Threshold::BITS) as f64).round() as u64)
    }

    pub(crate) fn hit(self, number: u64) -> bool {
        number >> (u64::BITS - Threshold::BITS) < self.0
    }
}
