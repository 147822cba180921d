//! Records what concurrent clients do.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use snowglobe_text::counted;

use crate::completion::Completion;
use crate::history::{History, UNFINISHED};
use crate::operation::{ClientId, Operation, OperationId};

/// Records the operations of any number of clients, on any number of threads.
///
/// A clone records into the same history. The crate reads no clock: whoever makes the recorder
/// lends one. In a trial of snowglobe, `snowglobe::history::recorder()` lends the trial's.
///
/// ```
/// use std::time::Instant;
///
/// use snowglobe_history::models::{RegisterOp, RegisterRet};
/// use snowglobe_history::{Completion, Recorder};
///
/// let start = Instant::now();
/// let recorder = Recorder::new(move || start.elapsed());
/// std::thread::scope(|scope| {
///     for node in ["db-1", "db-2"] {
///         let client = recorder.client(node);
///         scope.spawn(move || {
///             client.call(RegisterOp::Write(1), || Completion::Ok(RegisterRet::Done));
///             client.call(RegisterOp::Read, || Err::<RegisterRet<i32>, _>("connection reset"));
///         });
///     }
/// });
/// let history = recorder.history();
/// assert_eq!(history.len(), 4);
/// let unknown = history.operations().iter().filter(|it| it.completion.is_unknown());
/// assert_eq!(unknown.count(), 2, "an error leaves the outcome open");
/// ```
pub struct Recorder<O, R> {
    shared: Arc<Shared<O, R>>,
}

struct Shared<O, R> {
    /// Reads the time, since a start that is the same for all clients.
    now: Box<dyn Fn() -> Duration + Send + Sync>,
    clients: AtomicU32,
    operations: Mutex<Vec<Operation<O, R>>>,
}

impl<O, R> Shared<O, R> {
    /// Returns the operations so far. A client that panicked while it recorded has left whole
    /// operations, since each is changed in one step.
    fn operations(&self) -> MutexGuard<'_, Vec<Operation<O, R>>> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O, R> Clone for Recorder<O, R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<O, R> fmt::Debug for Recorder<O, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.shared.operations().len();
        write!(f, "Recorder({})", counted(count, "operation"))
    }
}

impl<O, R> Recorder<O, R> {
    /// Makes an empty recorder that reads the time by `now`, which must never go back.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            shared: Arc::new(Shared {
                now: Box::new(now),
                clients: AtomicU32::new(0),
                operations: Mutex::new(Vec::new()),
            }),
        }
    }

    /// Makes a client that asks the node of that name.
    pub fn client(&self, node: &str) -> Client<O, R> {
        Client {
            shared: Arc::clone(&self.shared),
            id: ClientId(self.shared.clients.fetch_add(1, Ordering::Relaxed)),
            node: node.into(),
        }
    }

    /// Returns what was recorded so far. An operation that is not completed has an unknown outcome.
    pub fn history(&self) -> History<O, R>
    where
        O: Clone,
        R: Clone,
    {
        History::new(self.shared.operations().iter().cloned())
    }
}

/// A client whose operations are recorded: it calls one after another.
pub struct Client<O, R> {
    shared: Arc<Shared<O, R>>,
    id: ClientId,
    node: Arc<str>,
}

impl<O, R> fmt::Debug for Client<O, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({} of `{}`)", self.id.0, self.node)
    }
}

impl<O, R> Client<O, R> {
    /// Returns the number of the client.
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// Returns the name of the node that the client asks.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Makes the client ask another node from now on. The client's session goes on.
    pub fn move_to(&mut self, node: &str) {
        self.node = node.into();
    }

    /// Records an operation around `work`, and returns its completion.
    ///
    /// A `Result` is a completion: an error leaves the outcome unknown. Where the answer rules the
    /// operation out, return [`Completion::Failed`]. If `work` panics, the outcome is unknown.
    pub fn call<C: Into<Completion<R>>>(&self, call: O, work: impl FnOnce() -> C) -> Completion<R>
    where
        R: Clone,
    {
        let begun = self.begin(call);
        let completion = work().into();
        begun.complete(completion.clone());
        completion
    }

    /// Records an operation around a future, as [`call`](Client::call) does around a closure. If
    /// the future is dropped before its end, as by a time-out, the outcome is unknown.
    pub async fn call_async<C: Into<Completion<R>>>(
        &self,
        call: O,
        work: impl Future<Output = C>,
    ) -> Completion<R>
    where
        R: Clone,
    {
        let begun = self.begin(call);
        let completion = work.await.into();
        begun.complete(completion.clone());
        completion
    }

    /// Records the invocation of an operation whose completion comes by another way.
    pub fn begin(&self, call: O) -> Begun<O, R> {
        let mut operations = self.shared.operations();
        let place = operations.len();
        // The time is read under the lock, so that numbers are in the order of time.
        operations.push(Operation {
            id: OperationId(place as u64),
            client: self.id,
            node: Arc::clone(&self.node),
            invoked: (self.shared.now)(),
            completed: None,
            call,
            completion: Completion::Unknown(UNFINISHED.to_owned()),
        });
        drop(operations);
        Begun {
            shared: Arc::clone(&self.shared),
            place,
            open: true,
        }
    }
}

/// An operation that has begun. Dropped without a completion, its outcome is unknown.
#[must_use = "an operation that is dropped has an unknown outcome"]
pub struct Begun<O, R> {
    shared: Arc<Shared<O, R>>,
    place: usize,
    open: bool,
}

impl<O, R> fmt::Debug for Begun<O, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Begun(operation {})", self.place)
    }
}

impl<O, R> Begun<O, R> {
    /// Records the completion of the operation.
    pub fn complete(mut self, completion: Completion<R>) {
        self.end(completion);
    }

    fn end(&mut self, completion: Completion<R>) {
        self.open = false;
        let now = (self.shared.now)();
        let operation = &mut self.shared.operations()[self.place];
        // A clock that goes back would make a history that cannot be one.
        operation.completed = Some(now.max(operation.invoked));
        operation.completion = completion;
    }
}

impl<O, R> Drop for Begun<O, R> {
    fn drop(&mut self) {
        if self.open {
            self.end(Completion::Unknown("its client gave it up".to_owned()));
        }
    }
}
