//! Datagrams of NAT-PMP and PCP, which share a port and tell themselves apart by their first byte
//! (RFC 6887, section 9).

use std::net::{Ipv4Addr, SocketAddrV4};

use super::book::LeaseBook;
use super::engine::LeaseEngine;
use super::server::MappingServer;
use super::{natpmp, pcp};

/// The port at which routers are asked (RFC 6886, section 3; RFC 6887, section 19.2).
pub const SERVER_PORT: u16 = 5351;
/// The port at which hosts hear what routers tell all of them.
pub const CLIENT_PORT: u16 = 5350;
/// The group of hosts that hear what routers tell all of them (RFC 6886, section 3.2.1).
pub const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

/// Answers a datagram of a host, or says nothing.
pub fn hear(
    book: &mut LeaseBook,
    engine: &mut dyn LeaseEngine,
    datagram: &[u8],
    from: SocketAddrV4,
    now: u64,
) -> Option<Vec<u8>> {
    // Both protocols have a version and an operation, whose first bit marks answers.
    let &[version, operation, ..] = datagram else {
        return None;
    };
    if operation & natpmp::ANSWER != 0 {
        return None;
    }
    let (has_natpmp, has_pcp) = (book.spec().nat_pmp, book.spec().pcp);
    let mut server = MappingServer {
        book,
        engine,
        client: *from.ip(),
        now,
    };
    match (version, has_natpmp, has_pcp) {
        (0, true, _) => natpmp::answer(&mut server, datagram),
        (pcp::VERSION, _, true) => Some(pcp::answer(&mut server, datagram)),
        // Who speaks no known version is told which one is spoken here.
        (_, _, true) => Some(pcp::unsupported_version(server.book, datagram, now)),
        (_, true, false) => Some(natpmp::unsupported_version(server.book, operation, now)),
        (_, false, false) => None,
    }
}

/// Returns what a router tells all hosts when it has started, or has another address: to
/// [`CLIENT_PORT`] of [`ALL_HOSTS`].
pub fn announcements(book: &LeaseBook, engine: &dyn LeaseEngine, now: u64) -> Vec<Vec<u8>> {
    let natpmp = book.spec().nat_pmp;
    let natpmp = natpmp.then(|| natpmp::external_address(book, engine, now));
    let pcp = book.spec().pcp.then(|| pcp::announcement(book, now));
    natpmp.into_iter().chain(pcp).collect()
}
