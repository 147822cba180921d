//! The kernel edge: everything that speaks to Linux directly, and the only place with `unsafe`.
//!
//! It knows namespaces, sockets and messages. It has never heard of a node or a lab.
#![allow(unsafe_code)]
// The lab that uses all of this is being written at the same time.
#![allow(dead_code, unused_imports)]

pub(crate) mod netlink;
pub(crate) mod netns;
pub(crate) mod procfs;
pub(crate) mod sysctl;
