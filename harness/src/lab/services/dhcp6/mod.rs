//! IPv6 addresses and prefixes that come over the wire: servers and clients of DHCPv6.
//!
//! | file | role |
//! |---|---|
//! | `dhcp6` | [`Dhcp6`]: a server as a test sees it |
//! | `server` | the thread of a server, and its routes to delegated prefixes |
//! | `clients` | the clients of a node as the lab sees them |
//! | `client` | the thread of the clients |
//! | `holder` | what a node does with an address or a prefix that it has got |
//! | `socket` | the sockets of servers and clients |

mod client;
pub(crate) mod clients;
#[expect(clippy::module_inception, reason = "the file of the server itself")]
pub(crate) mod dhcp6;
mod holder;
mod server;
mod socket;
