//! The source of every random choice: one seed, and a mixer that makes others of it.
//!
//! A failure has to happen again when its seed is given. So a seed that is derived from another one
//! and a name is the same whatever else runs, and in whatever order.

/// Returns the next number of SplitMix64, a good generator with a state of one word.
///
/// The generator is by Steele, Lea and Flood ("Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014), in the form in which the authors of xoshiro use it for seeding.
pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(GOLDEN);
    mix(*state)
}

/// Returns a number below `limit`, or 0 where the limit is 0.
pub(crate) fn below(state: &mut u64, limit: u64) -> u64 {
    // The high half of the product has a bias of at most one in 2⁶⁴ divided by the limit.
    let product = u128::from(splitmix(state)) * u128::from(limit);
    (product >> 64) as u64
}

/// Number that SplitMix64 adds to its state at each step: 2⁶⁴ divided by the golden ratio.
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes a word as SplitMix64 does: each bit of the word has a say in each bit of the result.
pub const fn mix(word: u64) -> u64 {
    let z = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Returns the seed of a named part (a trial, a link), made of the seed of the whole.
pub fn seed_for(whole: u64, name: &str) -> u64 {
    let mut state = whole;
    for byte in name.bytes() {
        state ^= u64::from(byte);
        state = splitmix(&mut state);
    }
    splitmix(&mut state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_depend_on_the_whole_and_on_the_name() {
        assert_eq!(seed_for(1, "a"), seed_for(1, "a"));
        assert_ne!(seed_for(1, "a"), seed_for(1, "b"));
        assert_ne!(seed_for(1, "a"), seed_for(2, "a"));
    }
}
