//! What the world of a trial is made of.
//!
//! There are two layers. The *outer sandbox* ([`outer`]) is made once per run: a user, mount, PID,
//! IPC and UTS namespace in which the host's files are read-only and the workspace is writable;
//! the nursery and the zygotes live in it, and when its first process dies the kernel ends everything inside. The
//! *sandbox* proper is made for each trial, from within the outer one ([`inner`]).
//!
//! The nodes of a lab are made by the trial's init as well ([`factory`]), each with a first process of
//! its own ([`node`]) that furnishes it ([`furniture`]) and starts its programs ([`launch`]).

pub(crate) mod birth;
pub(crate) mod body;
pub(crate) mod copies;
mod copy;
mod devices;
mod factory;
mod furniture;
pub(crate) mod ids;
pub(crate) mod init;
pub(crate) mod inner;
mod launch;
mod node;
pub(crate) mod outer;
mod panics;
pub(crate) mod paths;
pub(crate) mod subordinate;
