//! Transactions of appends and reads.

use serde::{Deserialize, Serialize};

/// An operation of a transaction on one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListOp<K, V> {
    /// Appends a value to the list of a key.
    Append(K, V),
    /// Reads the list of a key.
    Read(K),
}

/// The answer to one operation of a transaction: the list that was read, or nothing for an append.
pub type ListRet<V> = Option<Vec<V>>;

impl<K, V> ListOp<K, V> {
    pub(super) fn key(&self) -> &K {
        match self {
            Self::Append(key, _) | Self::Read(key) => key,
        }
    }
}
