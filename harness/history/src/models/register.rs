//! A register: one value, with reads, writes and compare-and-set.

use std::fmt::Debug;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use crate::model::Model;

/// A register that holds one value. The values of the keys of a [`Map`](super::Map) are such
/// registers, mostly of an `Option` that begins with `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register<V> {
    initial: V,
}

impl<V> Register<V> {
    /// Makes a register that begins with this value.
    pub fn new(initial: V) -> Self {
        Self { initial }
    }
}

/// An operation on a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegisterOp<V> {
    /// Reads the value.
    Read,
    /// Writes a value.
    Write(V),
    /// Writes a value if the register holds another one.
    Cas {
        /// The value that the register must hold.
        from: V,
        /// The value that is written then.
        to: V,
    },
}

/// A value that an operation on a register returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegisterRet<V> {
    /// The value that was read.
    Value(V),
    /// The write has happened.
    Done,
    /// The register held the expected value, and holds the new one now.
    Swapped,
    /// The register held another value than expected, and still holds it.
    NotSwapped,
}

impl<V: Clone + Eq + Hash + Debug> Model for Register<V> {
    type Call = RegisterOp<V>;
    type Ret = RegisterRet<V>;
    type State = V;
    type Key = ();

    fn initial(&self) -> V {
        self.initial.clone()
    }

    fn key(&self, _: &RegisterOp<V>) {}

    fn step(&self, state: &V, call: &RegisterOp<V>, ret: Option<&RegisterRet<V>>) -> Option<V> {
        match (call, ret) {
            (RegisterOp::Read, Some(RegisterRet::Value(value))) => {
                (value == state).then(|| state.clone())
            }
            (RegisterOp::Write(value), Some(RegisterRet::Done) | None) => Some(value.clone()),
            (RegisterOp::Cas { from, to }, Some(RegisterRet::Swapped) | None) => {
                (from == state).then(|| to.clone())
            }
            (RegisterOp::Cas { from, .. }, Some(RegisterRet::NotSwapped)) => {
                (from != state).then(|| state.clone())
            }
            // An answer that does not fit its question has no place in any order.
            (RegisterOp::Read | RegisterOp::Write(_) | RegisterOp::Cas { .. }, _) => None,
        }
    }

    fn observes(&self, call: &RegisterOp<V>, ret: Option<&RegisterRet<V>>) -> bool {
        match call {
            RegisterOp::Read => true,
            RegisterOp::Write(_) => false,
            RegisterOp::Cas { .. } => matches!(ret, Some(RegisterRet::NotSwapped)),
        }
    }

    fn overwrites(&self, call: &RegisterOp<V>, ret: Option<&RegisterRet<V>>) -> bool {
        matches!(
            (call, ret),
            (RegisterOp::Write(_), Some(RegisterRet::Done) | None)
        )
    }
}
