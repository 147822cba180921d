//! The server of port mappings at one moment, with the host that asks.

use std::net::Ipv4Addr;

use super::book::LeaseBook;
use super::engine::LeaseEngine;

/// The server of a router while it handles one request: the PCP server and client of RFC 6887, and
/// their counterparts in the other protocols.
pub struct MappingServer<'a> {
    /// All leases of the router.
    pub book: &'a mut LeaseBook,
    /// The NAT that makes the mappings.
    pub engine: &'a mut dyn LeaseEngine,
    /// The address of the host that asks.
    pub client: Ipv4Addr,
    /// The time of the request, in nanoseconds.
    pub now: u64,
}
