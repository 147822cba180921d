//! A queue: first in, first out.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{KnownOperations, Model, SearchHint};

/// A queue from which elements come in the order in which they went in.
#[derive(Clone, Copy, Debug)]
pub struct Queue<T>(PhantomData<fn() -> T>);

impl<T> Queue<T> {
    /// Makes an empty queue.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// An operation on a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueOp<T> {
    /// Puts an element at the end.
    Enqueue(T),
    /// Takes the first element.
    Dequeue,
}

/// A value that an operation on a queue returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueRet<T> {
    /// The element is in the queue.
    Done,
    /// The first element, which is out of the queue.
    Element(T),
    /// The queue had no element.
    Empty,
}

impl<T: Clone + Eq + Hash + Debug> Model for Queue<T> {
    type Call = QueueOp<T>;
    type Ret = QueueRet<T>;
    type State = VecDeque<T>;
    type Key = ();

    fn initial(&self) -> VecDeque<T> {
        VecDeque::new()
    }

    fn key(&self, _: &QueueOp<T>) {}

    fn step(
        &self,
        state: &VecDeque<T>,
        call: &QueueOp<T>,
        ret: Option<&QueueRet<T>>,
    ) -> Option<VecDeque<T>> {
        let mut after = state.clone();
        match (call, ret) {
            (QueueOp::Enqueue(element), Some(QueueRet::Done) | None) => {
                after.push_back(element.clone());
                Some(after)
            }
            (QueueOp::Dequeue, Some(QueueRet::Empty)) => state.is_empty().then_some(after),
            (QueueOp::Dequeue, Some(QueueRet::Element(wanted))) => {
                (after.pop_front().as_ref() == Some(wanted)).then_some(after)
            }
            (QueueOp::Dequeue, None) => after.pop_front().map(|_| after),
            (QueueOp::Enqueue(_), Some(QueueRet::Element(_) | QueueRet::Empty))
            | (QueueOp::Dequeue, Some(QueueRet::Done)) => None,
        }
    }

    fn observes(&self, call: &QueueOp<T>, ret: Option<&QueueRet<T>>) -> bool {
        matches!((call, ret), (QueueOp::Dequeue, Some(QueueRet::Empty)))
    }

    fn search_hint<'h>(
        &self,
        known: &KnownOperations<'h, QueueOp<T>, QueueRet<T>>,
    ) -> SearchHint<'h, Self>
    where
        Self: 'h,
    {
        let passages = passages(known);
        if let Some((places, why)) = contradiction(known, &passages) {
            return SearchHint::Contradiction { places, why };
        }
        let once = passages.into_iter().filter(|(_, it)| it.count == 1);
        let exits: HashMap<&T, Exit> = once.map(|(element, it)| (element, it.exit)).collect();
        SearchHint::Test(Box::new(move |state: &VecDeque<T>, call, ret| {
            match (call, ret) {
                (QueueOp::Enqueue(last), _) => {
                    let leaves = |element| exits.get(element).copied().unwrap_or(Exit::Unknown);
                    let last = leaves(last);
                    state.iter().any(|first| !leaves(first).may_be_before(last))
                }
                // Somebody has got the element, so that an operation without an answer has not.
                (QueueOp::Dequeue, None) => {
                    let first = state.front().and_then(|first| exits.get(first));
                    matches!(first, Some(Exit::Between(..)))
                }
                (QueueOp::Dequeue, Some(_)) => false,
            }
        }))
    }
}

/// The time at which an element leaves the queue.
#[derive(Clone, Copy)]
enum Exit {
    /// By an operation that has returned the element, between these times.
    Between(Duration, Duration),
    /// Nobody took the element, for certain.
    Never,
    /// Nobody knows.
    Unknown,
}

impl Exit {
    /// Returns whether an element with this exit may stand ahead of one with another exit.
    fn may_be_before(self, other: Self) -> bool {
        match (self, other) {
            (Self::Between(from, _), Self::Between(_, to)) => from <= to,
            (Self::Never, Self::Between(..)) => false,
            (Self::Between(..), Self::Never) => true,
            (Self::Never, Self::Never) | (Self::Unknown, _) | (_, Self::Unknown) => true,
        }
    }
}

/// What is known of the way of an element through the queue.
struct ElementPassage {
    /// Number of operations that put the element in, or may have. Of an element that more than one
    /// puts in it is not known which has left.
    count: usize,
    /// The operation that put the element in, if that is certain: its place, and its times.
    entered: Option<(usize, Duration, Duration)>,
    /// Place of an operation that has returned the element.
    left: Option<usize>,
    exit: Exit,
}

fn passages<'h, T: Eq + Hash>(
    known: &KnownOperations<'h, QueueOp<T>, QueueRet<T>>,
) -> HashMap<&'h T, ElementPassage> {
    let mut unknown = known.uncertain.iter();
    let exit = match unknown.any(|call| matches!(call, QueueOp::Dequeue)) {
        true => Exit::Unknown,
        false => Exit::Never,
    };
    let new = || ElementPassage {
        count: 0,
        entered: None,
        left: None,
        exit,
    };
    let mut passages: HashMap<&T, ElementPassage> = HashMap::new();
    for call in &known.uncertain {
        if let QueueOp::Enqueue(element) = call {
            passages.entry(element).or_insert_with(new).count += 1;
        }
    }
    for (place, it) in known.certain.iter().enumerate() {
        match (it.call, it.ret) {
            (QueueOp::Enqueue(element), _) => {
                let passage = passages.entry(element).or_insert_with(new);
                passage.count += 1;
                passage.entered = Some((place, it.from, it.to));
            }
            (QueueOp::Dequeue, QueueRet::Element(element)) => {
                let passage = passages.entry(element).or_insert_with(new);
                passage.left = Some(place);
                passage.exit = Exit::Between(it.from, it.to);
            }
            (QueueOp::Dequeue, QueueRet::Done | QueueRet::Empty) => {}
        }
    }
    passages
}

/// Returns the places of operations by which two elements come out in another order than they went
/// in, and a sentence about them.
///
/// No search is needed for this mistake (Henzinger, Sezgin and Vafeiadis, "Aspect-Oriented
/// Linearizability Proofs", 2013), and a search that meets it late would first try all orders of
/// the elements before.
fn contradiction<T: Debug>(
    known: &KnownOperations<'_, QueueOp<T>, QueueRet<T>>,
    passages: &HashMap<&T, ElementPassage>,
) -> Option<(Vec<usize>, String)> {
    let once = passages.iter().filter(|(_, it)| it.count == 1);
    let mut by_begin: Vec<_> = once
        .filter_map(|(element, it)| Some((it.entered?, *element, it)))
        .collect();
    let mut by_end = by_begin.clone();
    by_begin.sort_by_key(|((_, begin, _), ..)| *begin);
    by_end.sort_by_key(|((_, _, end), ..)| *end);
    // Of the elements that are in by now, the one that comes out last.
    let (mut by_end, mut last) = (by_end.into_iter().peekable(), None);
    for ((second, begin, _), element, passage) in by_begin {
        while let Some(next) = by_end.next_if(|((_, _, end), ..)| *end < begin) {
            let out = match next.2.exit {
                Exit::Between(from, _) => from,
                Exit::Never => Duration::MAX,
                Exit::Unknown => continue,
            };
            if last.as_ref().is_none_or(|(latest, _)| *latest < out) {
                last = Some((out, next));
            }
        }
        let (Exit::Between(_, to), Some((out, ((first, ..), earlier, other)))) =
            (passage.exit, &last)
        else {
            continue;
        };
        if to < *out {
            let mut places = vec![*first, second];
            let then = match other.left {
                Some(left) => {
                    places.extend(passage.left.into_iter().chain([left]));
                    "came out after it"
                }
                None => {
                    // With another answer, or none, each of these may have taken the element.
                    let all = known.certain.iter().enumerate();
                    let all =
                        all.filter(|(_, it)| matches!(it.call, QueueOp::Dequeue) && it.from <= to);
                    places.extend(all.map(|(place, _)| place));
                    "never came out, while that did, and each dequeue told its element"
                }
            };
            let why = format!("{earlier:?} went in before {element:?}, and {then}");
            return Some((places, why));
        }
    }
    None
}
