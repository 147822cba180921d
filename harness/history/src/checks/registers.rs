//! Registers whose written values are all different, so that a read tells which write it saw.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::history::History;
use crate::models::{On, RegisterOp, RegisterRet};
use crate::operation::Operation;

/// A call of a history of registers: of one register, or of one for each key.
pub trait RegisterCall: Clone + Debug {
    /// Name of a register.
    type Key: Clone + Ord + Debug;
    /// Value of a register.
    type Value: Clone + Ord + Debug;

    /// Returns the register that the call is about.
    fn register(&self) -> Self::Key;

    /// Returns the operation on that register.
    fn operation(&self) -> &RegisterOp<Self::Value>;
}

impl<V: Clone + Ord + Debug> RegisterCall for RegisterOp<V> {
    type Key = ();
    type Value = V;

    fn register(&self) {}

    fn operation(&self) -> &RegisterOp<V> {
        self
    }
}

impl<K: Clone + Ord + Debug, V: Clone + Ord + Debug> RegisterCall for On<K, RegisterOp<V>> {
    type Key = K;
    type Value = V;

    fn register(&self) -> K {
        self.key.clone()
    }

    fn operation(&self) -> &RegisterOp<V> {
        &self.call
    }
}

/// An operation of a history of registers.
pub(super) type RegisterOperation<C> = Operation<C, RegisterRet<<C as RegisterCall>::Value>>;

/// Returns the value that an operation has read, if it has read one.
pub(super) fn read<C: RegisterCall>(operation: &RegisterOperation<C>) -> Option<&C::Value> {
    match (operation.call.operation(), operation.completion.ok()?) {
        (RegisterOp::Read, RegisterRet::Value(value)) => Some(value),
        (RegisterOp::Cas { from, .. }, RegisterRet::Swapped) => Some(from),
        (RegisterOp::Read | RegisterOp::Write(_) | RegisterOp::Cas { .. }, _) => None,
    }
}

/// Returns the value that an operation writes, or would write if it happens.
fn attempted<C: RegisterCall>(operation: &RegisterOperation<C>) -> Option<&C::Value> {
    let swapped = !matches!(operation.completion.ok(), Some(RegisterRet::NotSwapped));
    match operation.call.operation() {
        RegisterOp::Write(value) => Some(value),
        RegisterOp::Cas { to, .. } => swapped.then_some(to),
        RegisterOp::Read => None,
    }
}

/// Returns the value that an operation is known to have written.
pub(super) fn written<C: RegisterCall>(operation: &RegisterOperation<C>) -> Option<&C::Value> {
    attempted(operation).filter(|_| operation.completion.is_ok())
}

/// The writer of each value of each register.
pub(super) struct Writers<'h, C: RegisterCall> {
    writers: BTreeMap<(C::Key, &'h C::Value), Writer<'h, C>>,
}

/// The origin of a value.
pub(super) enum Writer<'h, C: RegisterCall> {
    /// Nobody wrote the value: the register began with it.
    Nobody,
    /// One operation wrote the value.
    One(&'h RegisterOperation<C>),
    /// Several operations wrote the value, so that a read does not tell which it saw.
    Several,
}

impl<C: RegisterCall> Clone for Writer<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: RegisterCall> Copy for Writer<'_, C> {}

impl<'h, C: RegisterCall> Writers<'h, C> {
    pub(super) fn of(history: &'h History<C, RegisterRet<C::Value>>) -> Self {
        let mut writers = BTreeMap::new();
        for operation in history.operations() {
            if let Some(value) = attempted(operation) {
                writers
                    .entry((operation.call.register(), value))
                    .and_modify(|writer| *writer = Writer::Several)
                    .or_insert(Writer::One(operation));
            }
        }
        Self { writers }
    }

    pub(super) fn of_value(&self, key: &C::Key, value: &'h C::Value) -> Writer<'h, C> {
        let found = self.writers.get(&(key.clone(), value));
        found.copied().unwrap_or(Writer::Nobody)
    }
}
