//! Where every random choice comes from: one seed, and a mixer that makes others of it.
//!
//! What is derived from a seed and a name is the same whatever else runs, and in whatever order.

/// SplitMix64: a good mixer of one word, as Java and the xoshiro authors use it for seeding.
pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(GOLDEN);
    mix(*state)
}

/// What SplitMix64 adds to its state at each step: 2⁶⁴ divided by the golden ratio.
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64: each bit of the word has a say in each bit of the result.
pub const fn mix(word: u64) -> u64 {
    let z = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The seed of something that has a name (a trial, a link), from the seed of what it is part of.
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
