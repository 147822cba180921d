//! A map: each key is an object by itself.

use std::fmt::{self, Debug};

use serde::{Deserialize, Serialize};

use crate::model::{Certain, KnownOperations, Model, SearchHint};

/// A map whose keys each have an object of their own, such as a [`Register`](super::Register).
/// Each key is checked by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Map<K, M> {
    object: M,
    key: std::marker::PhantomData<fn() -> K>,
}

impl<K, M> Map<K, M> {
    /// Makes a map whose keys are each such an object.
    pub fn new(object: M) -> Self {
        Self {
            object,
            key: std::marker::PhantomData,
        }
    }
}

/// An operation on the object of one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct On<K, C> {
    /// The key.
    pub key: K,
    /// The operation on the object of the key.
    pub call: C,
}

impl<K, C> On<K, C> {
    /// Makes an operation on the object of a key.
    pub fn new(key: K, call: C) -> Self {
        Self { key, call }
    }
}

/// A timeline shows the call together with its key: `Read of "x"`.
impl<K: Debug, C: Debug> Debug for On<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {:?}", self.call, self.key)
    }
}

impl<K: Clone + Ord + Debug, M: Model> Model for Map<K, M> {
    type Call = On<K, M::Call>;
    type Ret = M::Ret;
    type State = M::State;
    type Key = (K, M::Key);

    fn initial(&self) -> M::State {
        self.object.initial()
    }

    fn key(&self, on: &Self::Call) -> Self::Key {
        (on.key.clone(), self.object.key(&on.call))
    }

    fn step(&self, state: &M::State, on: &Self::Call, ret: Option<&M::Ret>) -> Option<M::State> {
        self.object.step(state, &on.call, ret)
    }

    fn observes(&self, on: &Self::Call, ret: Option<&M::Ret>) -> bool {
        self.object.observes(&on.call, ret)
    }

    fn overwrites(&self, on: &Self::Call, ret: Option<&M::Ret>) -> bool {
        self.object.overwrites(&on.call, ret)
    }

    fn search_hint<'h>(
        &self,
        known: &KnownOperations<'h, Self::Call, M::Ret>,
    ) -> SearchHint<'h, Self>
    where
        Self: 'h,
    {
        let certain = known.certain.iter().map(|it| Certain {
            call: &it.call.call,
            ret: it.ret,
            from: it.from,
            to: it.to,
        });
        let known = KnownOperations {
            certain: certain.collect(),
            uncertain: known.uncertain.iter().map(|on| &on.call).collect(),
        };
        match self.object.search_hint(&known) {
            SearchHint::Nothing => SearchHint::Nothing,
            SearchHint::Contradiction { places, why } => SearchHint::Contradiction { places, why },
            SearchHint::Test(inner) => {
                SearchHint::Test(Box::new(move |state, on: &Self::Call, ret| {
                    inner(state, &on.call, ret)
                }))
            }
        }
    }
}
