//! Port mapping on request: a host asks its router for a port that leads to it.
//!
//! Three protocols do that: NAT-PMP (RFC 6886), PCP (RFC 6887), and the Internet Gateway Device of
//! UPnP. A router of a lab serves those that its [`PortMappingSpec`] names. What a server hears and
//! says is a function of messages and times here; the threads that move the messages, and the NATs
//! that make the mappings, are in `snowglobe`.
//!
//! | file | role |
//! |---|---|
//! | `spec` | what a test asks for: [`PortMappingSpec`] |
//! | `lease` | [`PortLease`]: a port that was given to a host, until a time |
//! | `book` | all leases of a router, and the rules by which hosts get them |
//! | `engine` | what a NAT has to do for leases: [`engine::LeaseEngine`] |
//! | `server` | the server at one moment, with the host that asks |
//! | `natpmp`, `pcp` | messages of the two datagram protocols, and their answers |
//! | `datagram` | which of the two a datagram is of |
//! | `upnp/` | the Internet Gateway Device |

pub mod book;
pub mod datagram;
pub mod engine;
mod lease;
mod natpmp;
mod pcp;
pub mod server;
mod spec;
#[cfg(test)]
mod tests;
pub mod upnp;

pub use lease::{HeldPeer, LeaseOrigin, PortLease};
pub use spec::{PortMappingProblem, PortMappingSpec};
