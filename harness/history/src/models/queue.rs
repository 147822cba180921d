//! A queue: first in, first out.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::model::Model;

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
}
