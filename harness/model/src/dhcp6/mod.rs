//! IPv6 addresses and prefixes that come over the wire: DHCPv6 (RFC 8415).
//!
//! A server and a client are functions of messages and times here, as those of DHCP for IPv4 are.
//! The threads that move the messages are in `snowglobe`.
//!
//! | file | role |
//! |---|---|
//! | `spec` | what a test asks for: [`Dhcp6Spec`] |
//! | `check` | what is wrong with the servers and clients of a topology |
//! | `message` | messages as values |
//! | `codec` | messages as bytes |
//! | `network` | what a server gives on one of its networks |
//! | `server` | which address or prefix whom, and for how long |
//! | `answer` | the answers of a server |
//! | `client` | when to ask, and what to make of the answers |
//! | `delegated` | the networks that a router numbers out of its prefix |

mod answer;
pub(crate) mod check;
pub mod client;
mod codec;
pub mod delegated;
pub mod message;
pub mod network;
pub mod server;
pub mod spec;
#[cfg(test)]
mod tests;

pub use server::Dhcp6Lease;
pub use spec::{Delegation, DelegationError, Dhcp6Spec};
