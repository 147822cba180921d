//! Programs that run in nodes.

pub(crate) mod launch;
pub(crate) mod log;
pub(crate) mod process;
