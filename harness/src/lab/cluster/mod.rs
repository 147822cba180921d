//! Nodes that run one service together: a [`Cluster`](crate::Cluster).
//!
//! | file | role |
//! |---|---|
//! | `spec` | a cluster before its start |
//! | `running` | a cluster that runs: readiness, leader, restarts |
//! | `futures` | waits for a cluster that let other futures run meanwhile |
//! | `unready` | reasons why a member is not ready |

#[cfg(feature = "tokio")]
mod futures;
pub(crate) mod running;
pub(crate) mod spec;
pub(crate) mod unready;
