//! One operation of a client, from its invocation to its completion.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::completion::Completion;

/// The number of an operation in its history, in the order of the invocations of one recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(pub u64);

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {}", self.0)
    }
}

/// The number of a client: a thread, task or process that calls one operation after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u32);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.0)
    }
}

/// An operation: who called it, when, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<O, R> {
    /// Number of the operation.
    pub id: OperationId,
    /// Client that called the operation.
    pub client: ClientId,
    /// Name of the node that was asked.
    pub node: Arc<str>,
    /// Time of the invocation.
    pub invoked: Duration,
    /// Time of the completion; none if the operation was never completed.
    pub completed: Option<Duration>,
    /// The thing that was called.
    pub call: O,
    /// The way in which the operation ended.
    pub completion: Completion<R>,
}

impl<O, R> Operation<O, R> {
    /// Returns whether the operation was over before `other` began.
    ///
    /// Two times that are equal do not order anything: a clock has a resolution.
    pub fn precedes<P, S>(&self, other: &Operation<P, S>) -> bool {
        self.completion.is_ok() && self.completed.is_some_and(|end| end < other.invoked)
    }

    /// Returns the operation with another call and completion in the place of its own.
    pub(crate) fn with<P, S>(self, call: P, completion: Completion<S>) -> Operation<P, S> {
        let Self {
            id,
            client,
            node,
            invoked,
            completed,
            call: _,
            completion: _,
        } = self;
        Operation {
            id,
            client,
            node,
            invoked,
            completed,
            call,
            completion,
        }
    }
}
