//! The network stack of a node or pod, and what listens on it.

pub(crate) mod listeners;
pub(crate) mod settings;
