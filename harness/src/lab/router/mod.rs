//! What a router does in a lab that a host does not: translation, firewalls, captive portals.
//!
//! | file | role |
//! |---|---|
//! | `netfilter` | the work of the kernel's packet filter, as rules of nftables |
//! | `firewall` | the rules of a firewall |
//! | `watcher` | the thread that serves portals and hears of dropped packets |
//! | `portal` | the page of a captive portal |
//! | `dropped` | a packet that a firewall did not let through, as an event |
//! | `nat` | the NAT of a router: its mappings, and what changes it |
//! | `nat_v6` | the translation of IPv6 at the uplinks of a router |
//! | `kernel_nat` | the mappings of a NAT that nftables carries |
//! | `port_mapping` | where routers serve hosts that ask for ports |
//! | `change` | changes of routers and firewalls of a running lab |

pub(crate) mod change;
mod dropped;
mod firewall;
mod kernel_nat;
pub(crate) mod nat;
pub(crate) mod nat_v6;
pub(crate) mod netfilter;
mod port_mapping;
mod portal;
pub(crate) mod watcher;
