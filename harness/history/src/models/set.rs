//! Sets: element by element, or with reads of the whole.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::model::Model;

/// An operation on a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetOp<T> {
    /// Puts an element into the set.
    Add(T),
    /// Takes an element out of the set.
    Remove(T),
    /// Asks whether an element is in the set.
    Contains(T),
    /// Reads all elements; of a [`WholeSet`] alone.
    Read,
}

/// A value that an operation on a set returns.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetRet<T> {
    /// The element was added or removed; nobody says whether it was there before.
    Done,
    /// The element was there, when it was to be added or removed, or was asked for.
    WasThere,
    /// The element was not there.
    WasMissing,
    /// All elements, in any order. The answer of a server may have an element twice, which no set
    /// has.
    Elements(Vec<T>),
}

/// Returns whether an operation on one element may return `ret`, and whether the element is there
/// afterwards.
fn step_of_element<T>(there: bool, call: &SetOp<T>, ret: Option<&SetRet<T>>) -> Option<bool> {
    let fits = match ret {
        None => true,
        Some(SetRet::Done) => !matches!(call, SetOp::Contains(_)),
        Some(SetRet::WasThere) => there,
        Some(SetRet::WasMissing) => !there,
        Some(SetRet::Elements(_)) => false,
    };
    let after = match call {
        SetOp::Add(_) => true,
        SetOp::Remove(_) => false,
        SetOp::Contains(_) => there,
        SetOp::Read => return None,
    };
    fits.then_some(after)
}

fn overwrites_element<T>(call: &SetOp<T>, ret: Option<&SetRet<T>>) -> bool {
    let changes = matches!(call, SetOp::Add(_) | SetOp::Remove(_));
    changes && matches!(ret, None | Some(SetRet::Done))
}

fn observes_element<T>(call: &SetOp<T>, ret: Option<&SetRet<T>>) -> bool {
    match call {
        SetOp::Contains(_) | SetOp::Read => true,
        SetOp::Add(_) => matches!(ret, Some(SetRet::WasThere)),
        SetOp::Remove(_) => matches!(ret, Some(SetRet::WasMissing)),
    }
}

/// A set whose elements are each checked by themselves: it has no reads of all elements.
#[derive(Clone, Copy, Debug)]
pub struct Set<T>(PhantomData<fn() -> T>);

impl<T> Set<T> {
    /// Makes an empty set.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone + Ord + Debug> Model for Set<T> {
    type Call = SetOp<T>;
    type Ret = SetRet<T>;
    type State = bool;
    type Key = Option<T>;

    fn initial(&self) -> bool {
        false
    }

    fn key(&self, call: &SetOp<T>) -> Option<T> {
        match call {
            SetOp::Add(element) | SetOp::Remove(element) | SetOp::Contains(element) => {
                Some(element.clone())
            }
            SetOp::Read => None,
        }
    }

    fn step(&self, state: &bool, call: &SetOp<T>, ret: Option<&SetRet<T>>) -> Option<bool> {
        step_of_element(*state, call, ret)
    }

    fn observes(&self, call: &SetOp<T>, ret: Option<&SetRet<T>>) -> bool {
        observes_element(call, ret)
    }

    fn overwrites(&self, call: &SetOp<T>, ret: Option<&SetRet<T>>) -> bool {
        overwrites_element(call, ret)
    }
}

/// A set whose elements can all be read at once, so that it has to be checked as a whole.
///
/// The search takes longer than that of a [`Set`]. For long histories of a set that only grows,
/// [`sets`](crate::checks::sets) looks for lost, stale and duplicate elements in no time.
#[derive(Clone, Copy, Debug)]
pub struct WholeSet<T>(PhantomData<fn() -> T>);

impl<T> WholeSet<T> {
    /// Makes an empty set.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for WholeSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone + Ord + Hash + Debug> Model for WholeSet<T> {
    type Call = SetOp<T>;
    type Ret = SetRet<T>;
    type State = BTreeSet<T>;
    type Key = ();

    fn initial(&self) -> BTreeSet<T> {
        BTreeSet::new()
    }

    fn key(&self, _: &SetOp<T>) {}

    fn step(
        &self,
        state: &BTreeSet<T>,
        call: &SetOp<T>,
        ret: Option<&SetRet<T>>,
    ) -> Option<BTreeSet<T>> {
        let element = match (call, ret) {
            (SetOp::Read, Some(SetRet::Elements(read))) => {
                let same = read.len() == state.len()
                    && read.iter().collect::<BTreeSet<_>>().len() == read.len();
                let same = same && read.iter().all(|element| state.contains(element));
                return same.then(|| state.clone());
            }
            (SetOp::Read, _) => return None,
            (SetOp::Add(element) | SetOp::Remove(element) | SetOp::Contains(element), _) => element,
        };
        let after = step_of_element(state.contains(element), call, ret)?;
        let mut state = state.clone();
        if after {
            state.insert(element.clone());
        } else {
            state.remove(element);
        }
        Some(state)
    }

    fn observes(&self, call: &SetOp<T>, ret: Option<&SetRet<T>>) -> bool {
        observes_element(call, ret)
    }
}
