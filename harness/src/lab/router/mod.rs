//! What a test asks of a router in a lab: its translations and firewalls, and changes of them.
//!
//! | file | role |
//! |---|---|
//! | `nat` | the NAT of a router: its mappings, and what changes it |
//! | `nat_v6` | the translation of IPv6 at the uplinks of a router |
//! | `nat64` | the NAT64 of a router: its hosts, and what it has translated |
//! | `kernel_nat` | the mappings of a NAT that nftables carries |
//! | `port_mapping` | where routers serve hosts that ask for ports |
//! | `change` | changes of routers and firewalls of a running lab |
//! | `advertised` | default routes that the kernel has made from router advertisements |

mod advertised;
pub(crate) mod change;
mod kernel_nat;
pub(crate) mod nat;
pub(crate) mod nat64;
pub(crate) mod nat_v6;
mod port_mapping;
