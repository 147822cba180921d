//! The nodes of a lab: made by the trial's init, each with a first process of its own.

mod copy_tree;
pub(super) mod factory;
mod first_process;
mod launch;
mod mounts;
