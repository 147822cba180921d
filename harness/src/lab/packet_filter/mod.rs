//! The packet filter of a network stack: the rules of nftables that a router or a host has, and the
//! thread that hears of what they drop.
//!
//! | file | role |
//! |---|---|
//! | `netfilter` | the work of the kernel's packet filter, as rules of nftables |
//! | `firewall` | the rules of a firewall |
//! | `watcher` | the thread that serves portals and hears of dropped packets |
//! | `portal` | the page of a captive portal |
//! | `dropped` | a packet that a firewall did not let through, as an event |

mod dropped;
mod firewall;
pub(crate) mod netfilter;
mod portal;
pub(crate) mod watcher;
