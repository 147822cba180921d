//! The kernel edge: everything that speaks to Linux directly, and the only place with `unsafe`.
//!
//! Everything here is a thin, checked wrapper around one system call or one
//! short recipe of them. Nothing here knows what a trial or a node is.
#![allow(unsafe_code)]

pub(crate) mod attempt;
#[allow(dead_code)]
pub(crate) mod clock;
pub(crate) mod clone;
pub(crate) mod constructor;
pub(crate) mod errno;
pub(crate) mod fd;
#[allow(dead_code)]
pub(crate) mod frame;
pub(crate) mod guest;
pub(crate) mod idmap;
pub(crate) mod lend;
pub(crate) mod mount;
pub(crate) mod net;
// Not all of these three is used yet: impairments and observations will come for the rest.
#[allow(dead_code, unused_imports)]
pub(crate) mod netlink;
#[allow(dead_code)]
pub(crate) mod netns;
pub(crate) mod ns;
#[allow(dead_code)]
pub(crate) mod packet;
#[allow(dead_code)]
pub(crate) mod poller;
pub(crate) mod process;
#[allow(dead_code)]
pub(crate) mod procfs;
pub(crate) mod profile;
pub(crate) mod rseq;
pub(crate) mod signal;
pub(crate) mod stack;
pub(crate) mod stamps;
#[allow(dead_code)]
pub(crate) mod tap;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod text;
pub(crate) mod thread;
