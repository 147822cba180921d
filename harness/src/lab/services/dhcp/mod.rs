//! Addresses that come over the wire: servers and clients of DHCP.
//!
//! | file | role |
//! |---|---|
//! | `dhcp` | [`Dhcp`]: a server as a test sees it |
//! | `server` | the sockets of a server, and the thread that serves them |
//! | `client` | the clients of a node's interfaces |

pub(crate) mod client;
#[expect(clippy::module_inception, reason = "the file of the server itself")]
pub(crate) mod dhcp;
mod server;
