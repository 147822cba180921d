//! Delta debugging over the entries of a schedule.
//!
//! The first part is `ddmin` (A. Zeller and R. Hildebrandt, "Simplifying and isolating
//! failure-inducing input", IEEE Transactions on Software Engineering 28(2), 2002); the second part
//! makes each entry that is left simpler by itself.

/// Returns fewer and simpler entries that still fail.
///
/// `simpler` returns simpler forms of an entry, the simplest first. `first_failing` is given
/// candidates, the most promising first, and returns the place of one that still fails, or `None`
/// if none does.
///
/// ```
/// use snowglobe_model::shrink::shrink;
///
/// // The test fails with 3 and 8 together, or with anything in the place of 8 that is 5 or more.
/// let fails = |entries: &Vec<u32>| entries.contains(&3) && entries.iter().any(|it| *it >= 5);
/// let half = |entry: &u32| vec![*entry / 2, *entry - 1];
/// let found = shrink((0..10).collect(), half, |candidates| candidates.iter().position(fails));
/// assert_eq!(found, [3, 5]);
/// ```
pub fn shrink<E: Clone + PartialEq>(
    entries: Vec<E>,
    simpler: impl Fn(&E) -> Vec<E>,
    mut first_failing: impl FnMut(&[Vec<E>]) -> Option<usize>,
) -> Vec<E> {
    let mut best = entries;
    if best.is_empty() || first_failing(&[Vec::new()]).is_some() {
        return Vec::new();
    }
    loop {
        best = fewer(best, &mut first_failing);
        let (simplified, has_changed) = simplify(best, &simpler, &mut first_failing);
        best = simplified;
        // With a simpler entry, another one may not be needed any more.
        if !has_changed || best.len() < 2 {
            return best;
        }
    }
}

/// Leaves out entries until each of those that are left is needed.
fn fewer<E: Clone>(
    mut best: Vec<E>,
    first_failing: &mut impl FnMut(&[Vec<E>]) -> Option<usize>,
) -> Vec<E> {
    let mut parts = 2;
    while best.len() >= 2 {
        let size = best.len().div_ceil(parts);
        let alone: Vec<Vec<E>> = best.chunks(size).map(<[E]>::to_vec).collect();
        let count = alone.len();
        let without = (0..count).map(|part| {
            let others = alone.iter().enumerate().filter(|(it, _)| *it != part);
            others.flat_map(|(_, entries)| entries.clone()).collect()
        });
        let mut candidates = alone.clone();
        // Of two parts, each is what is left without the other.
        if count > 2 {
            candidates.extend(without.collect::<Vec<Vec<E>>>());
        }
        match first_failing(&candidates) {
            Some(found) => {
                best = candidates.swap_remove(found);
                parts = if found < count { 2 } else { (parts - 1).max(2) };
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(best.len()),
        }
    }
    best
}

/// Makes entries simpler, one at a time. Returns the entries, and whether one is another now.
fn simplify<E: Clone + PartialEq>(
    mut best: Vec<E>,
    simpler: &impl Fn(&E) -> Vec<E>,
    first_failing: &mut impl FnMut(&[Vec<E>]) -> Option<usize>,
) -> (Vec<E>, bool) {
    let mut has_changed = false;
    for place in 0..best.len() {
        loop {
            let forms = simpler(&best[place]);
            let forms = forms.into_iter().filter(|form| *form != best[place]);
            let with = |form| {
                let mut entries = best.clone();
                entries[place] = form;
                entries
            };
            let mut candidates: Vec<Vec<E>> = forms.map(with).collect();
            let found = match candidates[..] {
                [] => None,
                [..] => first_failing(&candidates),
            };
            let Some(found) = found else {
                break;
            };
            best = candidates.swap_remove(found);
            has_changed = true;
        }
    }
    (best, has_changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::splitmix;
    use crate::shrink::{CandidateRuns, Confidence};

    fn nothing(_: &u32) -> Vec<u32> {
        Vec::new()
    }

    #[test]
    fn exactly_the_entries_that_matter_are_left() {
        let mut dice = 7;
        for length in 1..40_u32 {
            let needed: Vec<u32> = (0..length)
                .filter(|_| splitmix(&mut dice).is_multiple_of(8))
                .collect();
            let mut asked = 0;
            let found = shrink((0..length).collect(), nothing, |candidates| {
                asked += candidates.len();
                let fails = |it: &Vec<u32>| needed.iter().all(|entry| it.contains(entry));
                candidates.iter().position(fails)
            });
            assert_eq!(found, needed, "of {length}");
            let length = length as usize;
            assert!(asked <= 4 * length * length + 10, "{asked} of {length}");
        }
    }

    #[test]
    fn a_test_that_fails_by_itself_needs_no_entry() {
        assert_eq!(shrink(vec![1, 2], nothing, |_| Some(0)), Vec::<u32>::new());
        assert_eq!(shrink(vec![], nothing, |_| None), Vec::<u32>::new());
    }

    #[test]
    fn nothing_is_left_out_where_everything_is_needed() {
        assert_eq!(shrink(vec![1, 2, 3], nothing, |_| None), [1, 2, 3]);
    }

    /// Shrinks for a test that fails in 19 of 20 runs where the two entries are there, and in 1 of
    /// 50 where they are not.
    #[test]
    fn a_test_that_is_not_deterministic_is_shrunk_with_confidence() {
        let mut right = 0;
        for seed in 0..50 {
            let mut dice = seed;
            let confidence = Confidence::after(10).unwrap();
            let found = shrink((0..12).collect(), nothing, |candidates| {
                let mut batch = CandidateRuns::new(confidence, candidates.len());
                while batch.found().is_none() {
                    let candidate = batch.begin()?;
                    let entries: &Vec<u32> = &candidates[candidate];
                    let has_both = entries.contains(&2) && entries.contains(&9);
                    let chance = if has_both { 950 } else { 20 };
                    batch.ended(candidate, splitmix(&mut dice) % 1000 < chance);
                }
                batch.found()
            });
            assert!(
                found.contains(&2) && found.contains(&9),
                "{seed}: {found:?}"
            );
            right += u32::from(found == [2, 9]);
        }
        // The seeds are fixed, so that this number is as well.
        assert!(right >= 30, "{right} of 50 were shrunk to what matters");
    }
}
