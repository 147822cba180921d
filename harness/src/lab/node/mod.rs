//! A node of a running lab: its first process, its files, and the threads that enter it.

pub(crate) mod command;
pub(crate) mod files;
pub(crate) mod keys;
pub(crate) mod life;
pub(crate) mod node;
#[cfg(feature = "tokio")]
pub(crate) mod runtime;
pub(crate) mod visit;
pub(crate) mod visitors;
