//! The nodes of a lab: made by the trial's init, each with a first process of its own.
//!
//! A node is a host of its own, with network, mounts, processes and a name. A test process cannot
//! make one well: it has threads, and after a raw `clone3` of a process with threads only system
//! calls are safe (`signal-safety(7)`, as after `fork(2)`). The init has none, and makes nodes for
//! whoever asks over a channel.
//!
//! | file | role |
//! |---|---|
//! | `factory` | the init's side: clones the first process of a node |
//! | `apart` | the factory of a body that is an ordinary user: a process of its own |
//! | `first_process` | the first process of a node: makes the node, then obeys the lab's commands |
//! | `mounts` | the files that a node finds |
//! | `mount_points` | directories and files for mounts to lie on |
//! | `clock` | the time of day that the programs of a node see |
//! | `stop_polling` | how long the first process polls for the next stop of a program |
//! | `launch` | the start of a program |
//! | `user_namespaces` | user namespaces where the trial may make none |
//! | `visitor_mounts` | the files that code of the test finds in the node |

pub(super) mod apart;
mod clock;
pub(super) mod factory;
mod first_process;
mod launch;
mod mount_points;
mod mounts;
mod stop_polling;
mod user_namespaces;
mod visitor_mounts;
