//! Operations of several clients that ran at the same time, as a value.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::completion::Completion;
use crate::error::{HistoryError, HistoryErrorKind};
use crate::operation::{ClientId, Operation, OperationId};

/// A history: operations in the order of their invocations.
///
/// A [`Recorder`](crate::Recorder) records one, [`History::from_json_lines`] reads one, and
/// [`History::builder`] writes one down by hand:
///
/// ```
/// use snowglobe_history::models::{Register, RegisterOp, RegisterRet};
/// use snowglobe_history::{Completion, History, linearizability};
///
/// let mut history = History::builder();
/// let write = history.invoke(0, "db-1", 10, RegisterOp::Write(7));
/// history.complete(write, 20, Completion::Ok(RegisterRet::Done))?;
/// let read = history.invoke(1, "db-2", 30, RegisterOp::Read);
/// history.complete(read, 40, Completion::Ok(RegisterRet::Value(0)))?;
///
/// let report = linearizability(&Register::new(0), &history.build());
/// assert!(!report.is_clean(), "the write was over before the read began");
/// # Ok::<(), snowglobe_history::HistoryError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct History<O, R> {
    operations: Vec<Operation<O, R>>,
}

impl<O, R> Default for History<O, R> {
    fn default() -> Self {
        Self {
            operations: Vec::new(),
        }
    }
}

impl<O, R> History<O, R> {
    /// Makes a history of operations in any order.
    pub fn new(operations: impl IntoIterator<Item = Operation<O, R>>) -> Self {
        let mut operations: Vec<_> = operations.into_iter().collect();
        operations.sort_by_key(|it| (it.invoked, it.id));
        Self { operations }
    }

    /// Starts a history that is written down by hand.
    pub fn builder() -> HistoryBuilder<O, R> {
        HistoryBuilder::default()
    }

    /// Returns the operations in the order of their invocations.
    pub fn operations(&self) -> &[Operation<O, R>] {
        &self.operations
    }

    /// Returns the number of operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Returns whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Returns the operation with that number.
    pub fn get(&self, id: OperationId) -> Option<&Operation<O, R>> {
        self.operations.iter().find(|it| it.id == id)
    }

    /// Returns the operations of each client.
    pub fn by_client(&self) -> BTreeMap<ClientId, Vec<&Operation<O, R>>> {
        let mut clients: BTreeMap<ClientId, Vec<_>> = BTreeMap::new();
        for operation in &self.operations {
            clients.entry(operation.client).or_default().push(operation);
        }
        clients
    }

    /// Turns the operations into those of a model; operations for which `change` returns nothing
    /// are left out.
    ///
    /// A workload mostly has an operation type of its own, and each check wants the operations that
    /// it knows.
    pub fn project<P, S>(
        &self,
        mut change: impl FnMut(&Operation<O, R>) -> Option<(P, Completion<S>)>,
    ) -> History<P, S>
    where
        O: Clone,
        R: Clone,
    {
        let projected = self.operations.iter().filter_map(|operation| {
            let (call, completion) = change(operation)?;
            Some(operation.clone().with(call, completion))
        });
        History {
            operations: projected.collect(),
        }
    }

    /// Returns the operations for which `keep` holds.
    pub fn filter(&self, mut keep: impl FnMut(&Operation<O, R>) -> bool) -> Self
    where
        O: Clone,
        R: Clone,
    {
        let kept = self.operations.iter().filter(|it| keep(it)).cloned();
        Self {
            operations: kept.collect(),
        }
    }
}

/// A history that is being written down, event by event.
#[derive(Clone, Debug)]
pub struct HistoryBuilder<O, R> {
    operations: Vec<Operation<O, R>>,
    places: HashMap<OperationId, usize>,
    nodes: HashMap<String, Arc<str>>,
    next: u64,
}

impl<O, R> Default for HistoryBuilder<O, R> {
    fn default() -> Self {
        Self {
            operations: Vec::new(),
            places: HashMap::new(),
            nodes: HashMap::new(),
            next: 0,
        }
    }
}

/// The reason of an operation whose client never heard of its end.
pub(crate) const UNFINISHED: &str = "it was not completed by the end of the history";

impl<O, R> HistoryBuilder<O, R> {
    /// Adds the invocation of an operation, at a time in nanoseconds.
    pub fn invoke(&mut self, client: u32, node: &str, nanoseconds: u64, call: O) -> OperationId {
        let id = OperationId(self.next);
        let at = Duration::from_nanos(nanoseconds);
        // The number is one more than the highest so far, so it cannot be taken.
        let _ = self.invoke_as(id, ClientId(client), node, at, call);
        id
    }

    /// Adds the completion of an operation, at a time in nanoseconds.
    ///
    /// # Errors
    /// The operation was never invoked, was completed before, or began later.
    pub fn complete(
        &mut self,
        id: OperationId,
        nanoseconds: u64,
        completion: Completion<R>,
    ) -> Result<(), HistoryError> {
        let at = Duration::from_nanos(nanoseconds);
        self.complete_at(id, at, completion)
            .map_err(HistoryError::new)
    }

    /// Adds an operation that is completed, in one step.
    ///
    /// # Errors
    /// The completion lies before the invocation.
    pub fn operation(
        &mut self,
        client: u32,
        node: &str,
        nanoseconds: std::ops::Range<u64>,
        call: O,
        completion: Completion<R>,
    ) -> Result<OperationId, HistoryError> {
        let id = self.invoke(client, node, nanoseconds.start, call);
        self.complete(id, nanoseconds.end, completion)?;
        Ok(id)
    }

    /// Returns the history. Operations without a completion have an unknown outcome.
    pub fn build(self) -> History<O, R> {
        History::new(self.operations)
    }

    pub(crate) fn invoke_as(
        &mut self,
        id: OperationId,
        client: ClientId,
        node: &str,
        at: Duration,
        call: O,
    ) -> Result<(), HistoryErrorKind> {
        if self.places.contains_key(&id) {
            return Err(HistoryErrorKind::InvokedTwice { id });
        }
        let node = match self.nodes.get(node) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<str> = node.into();
                self.nodes.insert(node.to_owned(), Arc::clone(&new));
                new
            }
        };
        self.next = self.next.max(id.0.saturating_add(1));
        self.places.insert(id, self.operations.len());
        self.operations.push(Operation {
            id,
            client,
            node,
            invoked: at,
            completed: None,
            call,
            completion: Completion::Unknown(UNFINISHED.to_owned()),
        });
        Ok(())
    }

    pub(crate) fn complete_at(
        &mut self,
        id: OperationId,
        at: Duration,
        completion: Completion<R>,
    ) -> Result<(), HistoryErrorKind> {
        let Some(place) = self.places.get(&id) else {
            return Err(HistoryErrorKind::NotInvoked { id });
        };
        let operation = &mut self.operations[*place];
        if operation.completed.is_some() {
            return Err(HistoryErrorKind::CompletedTwice { id });
        }
        if at < operation.invoked {
            let invoked = operation.invoked;
            return Err(HistoryErrorKind::BackInTime { id, invoked, at });
        }
        operation.completed = Some(at);
        operation.completion = completion;
        Ok(())
    }
}
