//! A history of a thousand operations that is not linearizable explains nothing. Mostly three or
//! four of them are contradiction enough.

use crate::linear::prepared::{Prepared, Rules};
use crate::linear::search::{SearchOutcome, search};
use crate::model::Model;
use crate::operation::Operation;

/// Configurations for one attempt to do with fewer operations. An attempt that takes more counts as
/// failed, and its operations stay.
const ATTEMPT: usize = 20_000;

/// Number of attempts, which bounds the time that is spent on a good explanation.
const ATTEMPTS: usize = 300;

/// Number of attempts that may take too long. Where several do, others would as well.
const EXHAUSTED: usize = 20;

/// Number of operations from which on it is worth while to search loosely first.
const MANY: usize = 20;

/// Returns the places of operations that no order explains, even if each other operation may or may
/// not have happened, with any answer. `stuck` is the place of the operation that no order reaches.
pub(super) fn smallest_window<M: Model>(
    rules: &Rules<'_, M>,
    operations: &[&Operation<M::Call, M::Ret>],
    stuck: usize,
) -> Vec<usize> {
    let end = operations[stuck].completed;
    let mut all: Vec<usize> = (0..operations.len())
        .filter(|place| operations[*place].completion.is_ok())
        .collect();
    all.sort_by_key(|place| (operations[*place].completed, *place));
    let upto: Vec<usize> = all
        .iter()
        .copied()
        .filter(|place| operations[*place].completed <= end)
        .collect();
    // A contradiction that stands even if the others may happen several times is one, and is found
    // much more quickly where there are hundreds of others.
    let mut loosely = attempts(rules, operations, true);
    let mut strictly = attempts(rules, operations, false);
    let loose = (operations.len() > MANY).then(|| latest(&upto, &mut loosely));
    let mut kept = match loose.flatten() {
        Some(mut kept) => {
            reduce(&mut kept, &mut loosely);
            kept
        }
        None => latest(&upto, &mut strictly).unwrap_or(all),
    };
    reduce(&mut kept, &mut strictly);
    kept.sort_unstable();
    kept
}

/// Number of operations up to which less than a contradiction of a model is looked for: each
/// attempt tries orders of all other operations.
const FEW: usize = 100;

/// Returns fewer of these operations that no order explains, if some of them are not needed.
pub(super) fn fewer<M: Model>(
    rules: &Rules<'_, M>,
    operations: &[&Operation<M::Call, M::Ret>],
    sources: &[usize],
) -> Option<Vec<usize>> {
    let mut kept = sources.to_vec();
    if operations.len() <= FEW {
        reduce(&mut kept, &mut attempts(rules, operations, false));
        kept.sort_unstable();
    }
    (kept.len() < sources.len()).then_some(kept)
}

/// Returns a function that tells whether operations contradict each other. After some attempts it
/// says no to everything.
fn attempts<'a, M: Model>(
    rules: &'a Rules<'_, M>,
    operations: &'a [&Operation<M::Call, M::Ret>],
    repeats: bool,
) -> impl FnMut(&[usize]) -> bool + 'a {
    let (mut left, mut exhausted) = (ATTEMPTS, 0);
    move |kept| {
        left = left.saturating_sub(1);
        if left == 0 || exhausted == EXHAUSTED {
            return false;
        }
        let mut must = vec![false; operations.len()];
        kept.iter().for_each(|place| must[*place] = true);
        let mut prepared = Prepared::of(rules, operations, |place| must[place]);
        prepared.repeats = repeats;
        match search(rules.model, &prepared, ATTEMPT) {
            SearchOutcome::Stuck(_) | SearchOutcome::Contradiction { .. } => true,
            SearchOutcome::Linearizable => false,
            SearchOutcome::Exhausted => {
                exhausted += 1;
                false
            }
        }
    }
}

/// Returns the latest operations that contradict each other: the last two, four, eight, and so on.
fn latest(upto: &[usize], contradicts: &mut impl FnMut(&[usize]) -> bool) -> Option<Vec<usize>> {
    let mut count = 2;
    loop {
        let kept = &upto[upto.len().saturating_sub(count)..];
        if contradicts(kept) {
            return Some(kept.to_vec());
        }
        if count >= upto.len() {
            return None;
        }
        count *= 2;
    }
}

/// Leaves out operations, many at a time and then one by one, as long as the rest contradicts
/// itself: delta debugging (Zeller and Hildebrandt, 2002).
fn reduce(kept: &mut Vec<usize>, contradicts: &mut impl FnMut(&[usize]) -> bool) {
    let mut size = kept.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < kept.len() {
            let to = (from + size).min(kept.len());
            let mut fewer = kept.clone();
            fewer.drain(from..to);
            if contradicts(&fewer) {
                *kept = fewer;
            } else {
                from = to;
            }
        }
        size /= 2;
    }
}
