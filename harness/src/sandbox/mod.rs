//! What the world of a trial is made of.
//!
//! There are two layers. The *outer sandbox* ([`outer`]) is made once per run: a user, mount, PID,
//! IPC and UTS namespace in which the host's files are read-only and the workspace is writable;
//! the nursery and the zygotes live in it, and when its first process dies the kernel ends everything inside. The
//! *sandbox* proper is made for each trial, from within the outer one ([`trial`]).
//!
//! The nodes of a lab are made by the trial's init as well ([`node`]), each with a first process of
//! its own that mounts what the node sees and starts its programs.

pub(crate) mod ids;
mod node;
pub(crate) mod outer;
pub(crate) mod paths;
mod process_table;
pub(crate) mod protocol;
pub(crate) mod subordinate;
pub(crate) mod trial;
