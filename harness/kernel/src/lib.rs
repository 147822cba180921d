//! The kernel edge: everything that speaks to Linux directly, and the only place with `unsafe`.
//!
//! Everything here is a thin, checked wrapper around one system call or one
//! short recipe of them. Nothing here knows what a trial or a node is.
//!
//! This crate is internal to snowglobe, without any promise of stability: use `snowglobe` instead.
#![deny(unsafe_code)]
#![allow(clippy::new_without_default, reason = "only snowglobe uses this crate")]

pub mod attempt;
pub mod clock;
pub mod clone;
pub mod constructor;
pub mod errno;
pub mod fd;
pub mod frame;
pub mod guest;
pub mod idmap;
pub mod lend;
pub mod mount;
pub mod net;
pub mod netlink;
pub mod netns;
pub mod ns;
pub mod packet;
pub mod poller;
pub mod process;
pub mod procfs;
pub mod profile;
pub mod rseq;
pub mod signal;
pub mod stack;
pub mod stamps;
pub mod tap;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod thread;
