//! Sorting whose code is compiled once, and not for each type that is sorted.
//!
//! For each type and comparison, a stable sort of std is compiled to 14 functions. For 25 lists of
//! a few values each they were a tenth of all code that was generated for this crate in a user's
//! first build (`-Zdump-mono-stats`, 2026-11-30). Lists that can be long are sorted by std.

use std::cmp::Ordering;

/// Sorts a list by a key. Values of the same key stay in their order.
///
/// ```
/// let mut words = ["to", "be", "or", "not"];
/// snowglobe_model::order::sort_by_key(&mut words, |word| word.len());
/// assert_eq!(words, ["to", "be", "or", "not"]);
/// snowglobe_model::order::sort_by_key(&mut words, |word| word.chars().last());
/// assert_eq!(words, ["be", "to", "or", "not"]);
/// ```
pub fn sort_by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    let order = order(list.len(), &|a, b| key(&list[a]).cmp(&key(&list[b])));
    rearrange(order, &mut |a, b| list.swap(a, b));
}

/// Returns the indices of a list in the order into which `compare` sorts their values.
fn order(length: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

/// Moves the value at index `order[i]` to index `i`, for each `i`.
fn rearrange(mut order: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..order.len() {
        // A cycle of the permutation: each index takes the value of the next, and the last keeps
        // the value of `start`.
        let mut at = start;
        loop {
            let from = std::mem::replace(&mut order[at], at);
            if from == start {
                break;
            }
            swap(at, from);
            at = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn lists_are_sorted_as_std_sorts_them() {
        let mut state = random::seed_for(1, "lists");
        for length in (0..40).chain([1000]) {
            let mut list: Vec<(u64, usize)> = (0..length)
                .map(|number| (random::splitmix(&mut state) % 16, number))
                .collect();
            let mut expected = list.clone();
            expected.sort_by_key(|(key, _)| *key);
            sort_by_key(&mut list, |(key, _)| *key);
            assert_eq!(list, expected);
        }
    }
}
