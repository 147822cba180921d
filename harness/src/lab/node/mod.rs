//! A node of a running lab: the first process, and what a test does in the node.
//!
//! | file | role |
//! |---|---|
//! | `node` | `Node`: names, addresses, captures |
//! | `life` | pause, resume, crash, restart |
//! | `root` | the root filesystem, and another one from the next start on |
//! | `visit` | closures that run in the node |
//! | `futures` | futures that run in the node, and waits that let other futures run |
//! | `waits` | waits for conditions and for sockets of servers |
//! | `visitors` | the threads on which closures run, kept for the next visit |
//! | `runtime` | the runtime on which futures run |
//! | `command` | programs that run in the node |
//! | `std_command` | what a command of std holds and has no method for |
//! | `disks` | the volumes with faults of the node |
//! | `ending` | the end of all programs, and of what they left behind |
//! | `keys` | TLS keys of these programs, for captures |
//! | `rtnetlink` | a handle of the crate `rtnetlink` that speaks in the node |
//! | `services` | threads that all nodes of a lab share |

pub(crate) mod command;
mod disks;
pub(crate) mod ending;
#[cfg(feature = "tokio")]
mod futures;
pub(crate) mod keys;
pub(crate) mod life;
pub(crate) mod node;
pub(crate) mod root;
#[cfg(feature = "rtnetlink")]
mod rtnetlink;
#[cfg(feature = "tokio")]
pub(crate) mod runtime;
pub(crate) mod services;
pub(crate) mod std_command;
pub(crate) mod visit;
pub(crate) mod visitors;
mod waits;
