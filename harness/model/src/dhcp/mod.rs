//! Addresses that come over the wire: DHCP for IPv4 (RFC 2131, RFC 2132).
//!
//! A server and a client are functions of messages and times here, so that what they do can be
//! tested without a second's wait. The threads that move the messages are in `snowglobe`.
//!
//! | file | role |
//! |---|---|
//! | `spec` | what a test asks for: [`DhcpSpec`], [`AddressSource`] |
//! | `check` | what is wrong with the servers of a topology |
//! | `error` | why a text is no pool of addresses |
//! | `message` | messages as values and as bytes |
//! | `frame` | the frames that carry messages |
//! | `given` | what a server of either family is told to give |
//! | `pool` | the addresses that a server gives |
//! | `server` | which address whom, and for how long |
//! | `client` | when to ask, and what to make of the answers |

pub(crate) mod check;
pub mod client;
pub(crate) mod error;
pub mod frame;
pub(crate) mod given;
pub mod message;
pub mod pool;
pub mod server;
pub mod spec;
#[cfg(test)]
mod tests;

pub use server::DhcpLease;
pub use spec::{AddressSource, DhcpSpec};
