//! The kernel edge: everything that speaks to Linux directly, and the only place with `unsafe`.
//!
//! Everything here is a thin, checked wrapper around one system call or one
//! short recipe of them. Nothing here knows what a trial or a node is.
//!
//! This crate is internal to snowglobe, without any promise of stability: use `snowglobe` instead.
#![deny(unsafe_code)]
#![allow(clippy::new_without_default, reason = "only snowglobe uses this crate")]

pub mod clock;
pub mod errno;
pub mod fd;
pub mod fixed_str;
pub mod frames;
pub mod id_map;
pub mod loopback;
pub mod message_channel;
pub mod mount;
pub mod namespace;
pub mod netlink;
pub mod netns;
pub mod nft;
pub mod ping_groups;
pub mod poll;
pub mod probe;
pub mod process;
pub mod procfs;
pub mod qdisc;
pub mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod thread;

/// The outcome of a call that the kernel may refuse.
pub type Result<T> = std::result::Result<T, errno::Errno>;
