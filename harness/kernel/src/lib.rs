//! The kernel edge: everything that speaks to Linux directly, and the only place with `unsafe`.
//!
//! Everything here is a thin, checked wrapper around one system call or one
//! short recipe of them. Nothing here knows what a trial or a node is.
//!
//! | module | role |
//! |---|---|
//! | [`process`], [`thread`] | starting, ending and tracing processes; what a thread alone has |
//! | [`namespace`], [`netns`], [`id_map`] | namespaces, and the ids that they map |
//! | [`mount`], [`fuse`] | mounts, and filesystems that are programs of ours |
//! | [`procfs`] | processes and mounts, read from a `/proc` |
//! | [`netlink`], [`nft`], [`qdisc`], [`loopback`] | interfaces, routes, packet filters, queues |
//! | [`frames`], [`datagrams`] | Ethernet frames and UDP datagrams, with where they came from |
//! | [`message_channel`], [`named_channel`] | messages between our own processes |
//! | [`fd`], [`poll`], [`clock`], [`sync`] | descriptors, waiting, clocks, locks |
//! | [`fixed_str`], [`errno`], `uapi` | texts on the stack, errors, constants of the kernel |
//! | [`probe`] | operations that not every kernel can do, each tried for real |
//!
//! This crate is internal to snowglobe, without any promise of stability: use `snowglobe` instead.
#![deny(unsafe_code)]
// A new variant of an enum of ours must be named by the compiler wherever the variant matters.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]
#![allow(clippy::new_without_default, reason = "only snowglobe uses this crate")]

#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!(
    "snowglobe needs Linux with the GNU C library on x86_64 or aarch64: build your tests for \
     `x86_64-unknown-linux-gnu` or `aarch64-unknown-linux-gnu`. Programs under test may be built \
     for any target, such as musl"
);

pub mod clock;
pub mod datagrams;
pub mod errno;
pub mod fd;
pub mod fixed_str;
pub mod frames;
pub mod fuse;
pub mod id_map;
pub mod loopback;
pub mod message_channel;
pub mod mount;
pub mod named_channel;
pub mod namespace;
pub mod netlink;
pub mod netns;
pub mod nft;
pub mod poll;
pub mod probe;
pub mod process;
pub mod procfs;
pub mod qdisc;
pub mod sync;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod thread;
mod uapi;

/// Directory of the sources of this crate, as they were compiled.
pub const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// The outcome of a call that the kernel may refuse.
pub type Result<T> = std::result::Result<T, errno::Errno>;
