//! Addresses that come over the wire: servers and clients of DHCP.
//!
//! | file | role |
//! |---|---|
//! | `dhcp` | [`Dhcp`]: a server as a test sees it |
//! | `server` | the thread of a server |
//! | `client` | the clients of a node's interfaces |
//! | `hairpins` | hairpins at the addresses that a router has been given |
//! | `sockets` | the sockets of a server, or of the clients of a node |

pub(crate) mod client;
#[expect(clippy::module_inception, reason = "the file of the server itself")]
pub(crate) mod dhcp;
mod hairpins;
mod server;
mod sockets;
