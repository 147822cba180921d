//! From a plan to a running lab: nodes, cables, addresses, and the wait until packets pass.

pub(crate) mod cables;
pub(crate) mod crowded_switch;
pub(crate) mod interfaces;
pub(crate) mod network;
pub(crate) mod schedule;
pub(crate) mod spawn_nodes;
pub(crate) mod start;
