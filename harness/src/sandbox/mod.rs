//! What a trial lives in: namespaces of its own, and the processes that make and watch them.
//!
//! A test that may do what it likes must not be able to touch the host, other tests, or a later
//! run. There are two layers, for a trial has to be made in less than a millisecond. The *outer
//! sandbox* is made once per run: a user, mount, PID, IPC and UTS namespace in which the host's
//! files are read-only and the workspace is writable. The nursery and the zygotes live in it, and
//! when its first process dies the kernel ends everything inside. The *sandbox* proper is made for
//! each trial, from within the outer one. The nodes of a lab are made by the trial's init as well.
//!
//! | file | role |
//! |---|---|
//! | `outer/` | the outer sandbox: its mount tree, its first process |
//! | `trial/` | the sandbox of a trial: its mounts, its init, the process of the test body |
//! | `disk/` | the process that serves a disk with faults |
//! | `node/` | the nodes of a lab: their mounts, their first processes, their programs |
//! | `protocol/` | all messages between these processes and the supervisor |
//! | `budgets` | what all trials of a user or of the host share |
//! | `copy_tree` | files as a copy, where no overlay is permitted |
//! | `ids`, `subordinate` | which ids of the host the users of a trial are |
//! | `inherited` | what a new network namespace inherits, and what it gets instead |
//! | `namespace_limits` | limits on namespaces that are reached for a while only |
//! | `paths` | which directories of the host a trial may write to |
//! | `process_numbers` | numbers that tell the processes of trials and nodes apart |
//! | `private_mounts` | filesystems that each sandbox has for itself |
//! | `refused` | a step that the kernel refused, as a value |
//! | `within` | marks by which a program knows that a trial has started it |

pub(crate) mod budgets;
pub(crate) mod copy_tree;
mod disk;
pub(crate) mod ids;
pub(crate) mod inherited;
pub(crate) mod namespace_limits;
mod node;
pub(crate) mod outer;
pub(crate) mod paths;
mod private_mounts;
pub(crate) mod process_numbers;
pub(crate) mod protocol;
pub(crate) mod refused;
pub(crate) mod subordinate;
pub(crate) mod trial;
pub(crate) mod within;
