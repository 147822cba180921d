//! Nodes that run one service together: a [`Cluster`](crate::Cluster).
//!
//! | file | role |
//! |---|---|
//! | `spec` | a cluster before its start |
//! | `running` | a cluster that runs: readiness, leader, restarts |
//! | `unready` | reasons why a member is not ready |

pub(crate) mod running;
pub(crate) mod spec;
pub(crate) mod unready;
