//! What an object does when one client calls it after another: the specification of a check.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

/// A sequential object, against which a history of concurrent operations is checked.
///
/// The models of this crate are in [`models`](crate::models). One of your own takes a state, and
/// what each operation makes of it:
///
/// ```
/// use snowglobe_history::{Completion, History, Model, linearizability};
///
/// /// A lock that one client can hold.
/// struct Lock;
///
/// #[derive(Clone, Debug)]
/// enum Call {
///     Acquire(u32),
///     Release(u32),
/// }
///
/// impl Model for Lock {
///     type Call = Call;
///     type Ret = bool;
///     type State = Option<u32>;
///     type Key = ();
///
///     fn initial(&self) -> Option<u32> {
///         None
///     }
///
///     fn key(&self, _: &Call) {}
///
///     fn step(&self, holder: &Self::State, call: &Call, ret: Option<&bool>)
///     -> Option<Self::State> {
///         let (succeeds, after) = match call {
///             Call::Acquire(me) => (holder.is_none(), Some(*me)),
///             Call::Release(me) => (*holder == Some(*me), None),
///         };
///         match ret {
///             // An unknown outcome matters only where the operation changes something.
///             None => succeeds.then_some(after),
///             Some(ret) if *ret != succeeds => None,
///             Some(_) => Some(if succeeds { after } else { *holder }),
///         }
///     }
/// }
///
/// let mut history = History::builder();
/// history.operation(0, "a", 0..10, Call::Acquire(0), Completion::Ok(true))?;
/// history.operation(1, "b", 20..30, Call::Acquire(1), Completion::Ok(true))?;
/// assert!(!linearizability(&Lock, &history.build()).is_clean(), "both hold the lock");
/// # Ok::<(), snowglobe_history::HistoryError>(())
/// ```
pub trait Model {
    /// An operation with its arguments.
    type Call: Clone + Debug;
    /// A value that an operation returns.
    type Ret: Clone + Debug;
    /// The state of the object.
    type State: Clone + Eq + Hash;
    /// A name of the part of the object that an operation is about. Objects without parts have
    /// `()`.
    type Key: Clone + Ord + Debug;

    /// Returns the state in which the object begins; each part begins in it.
    fn initial(&self) -> Self::State;

    /// Returns the part of the object that the operation is about.
    ///
    /// Operations with different keys must not influence each other. A history is linearizable if
    /// and only if its operations on each key are (Herlihy and Wing, "Linearizability", 1990,
    /// theorem 1), so each key is checked by itself, which is what keeps a check quick.
    fn key(&self, call: &Self::Call) -> Self::Key;

    /// Returns the state after the operation, or nothing where the operation cannot return `ret` in
    /// this state.
    ///
    /// Without a `ret` nobody knows what the operation returned, nor whether it has happened. Then
    /// the answer is the state after it, or nothing if it would change nothing.
    fn step(
        &self,
        state: &Self::State,
        call: &Self::Call,
        ret: Option<&Self::Ret>,
    ) -> Option<Self::State>;

    /// Returns whether the operation changes nothing in any state in which it may return `ret`: a
    /// read. A check is quicker for each operation that says so, and is wrong if it is not so.
    fn observes(&self, call: &Self::Call, ret: Option<&Self::Ret>) -> bool {
        let _ = (call, ret);
        false
    }

    /// Returns whether the operation can happen in each state, and leaves the same state whatever
    /// was before: a write. A check is quicker for each operation that says so, and is wrong if it
    /// is not so.
    fn overwrites(&self, call: &Self::Call, ret: Option<&Self::Ret>) -> bool {
        let _ = (call, ret);
        false
    }

    /// Returns what is known of the search for an order before it begins.
    ///
    /// The answers of a queue tell in which order elements went in, long after they did. Without
    /// a hint, a search would try all other orders first. A check is wrong if a step is refused
    /// that an order of the operations has.
    fn search_hint<'h>(
        &self,
        known: &KnownOperations<'h, Self::Call, Self::Ret>,
    ) -> SearchHint<'h, Self>
    where
        Self: 'h,
    {
        let _ = known;
        SearchHint::Nothing
    }
}

/// What a model knows of a search for an order before it begins ([`Model::search_hint`]).
pub enum SearchHint<'h, M: Model + ?Sized> {
    /// Nothing.
    Nothing,
    /// A test for steps that lead nowhere: from this state, by this call, with this answer.
    Test(DeadEndTest<'h, M>),
    /// Operations that no order explains.
    Contradiction {
        /// Places, among those that are certain, of the operations that contradict each other.
        places: Vec<usize>,
        /// Sentence for people.
        why: String,
    },
}

/// A test for steps that lead nowhere.
pub type DeadEndTest<'h, M> =
    Box<dyn Fn(&<M as Model>::State, &<M as Model>::Call, Option<&<M as Model>::Ret>) -> bool + 'h>;

/// The operations on one part of an object, in no order.
#[derive(Clone, Debug)]
pub struct KnownOperations<'h, C, R> {
    /// Operations that have happened, each with what it returned.
    pub certain: Vec<Certain<'h, C, R>>,
    /// Calls that may have happened, each at most as often as it is here.
    pub uncertain: Vec<&'h C>,
}

/// An operation that has happened.
#[derive(Clone, Copy, Debug)]
pub struct Certain<'h, C, R> {
    /// The call.
    pub call: &'h C,
    /// The value that the operation returned.
    pub ret: &'h R,
    /// Time before which the operation has not happened.
    pub from: Duration,
    /// Time after which the operation does not happen.
    pub to: Duration,
}
