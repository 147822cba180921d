//! What the layer needs of the crate's own.
#![allow(dead_code, unused_imports)]

#[path = "../../src/kernel/netlink/mod.rs"]
pub(crate) mod netlink;
#[path = "../../src/kernel/netns.rs"]
pub(crate) mod netns;
#[path = "../../src/kernel/sysctl.rs"]
pub(crate) mod sysctl;
