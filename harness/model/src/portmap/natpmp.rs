//! NAT-PMP (RFC 6886).

use std::net::{Ipv4Addr, SocketAddrV4};

use super::book::{LeaseBook, LeaseWish};
use super::engine::{LeaseEngine, LeaseRefusal};
use super::lease::LeaseOrigin;
use super::server::MappingServer;
use crate::nat::NatProtocol;

/// The bit of an operation that marks an answer (section 3.2).
pub(super) const ANSWER: u8 = 128;

/// Operations (section 3.2 and 3.3).
const EXTERNAL_ADDRESS: u8 = 0;
const MAP_UDP: u8 = 1;
const MAP_TCP: u8 = 2;

/// Results (section 3.5).
const SUCCESS: u16 = 0;
const UNSUPPORTED_VERSION: u16 = 1;
const NOT_AUTHORIZED: u16 = 2;
const NETWORK_FAILURE: u16 = 3;
const OUT_OF_RESOURCES: u16 = 4;
const UNSUPPORTED_OPERATION: u16 = 5;

/// Answers a request, or says nothing to one that is cut off.
pub(super) fn answer(server: &mut MappingServer<'_>, datagram: &[u8]) -> Option<Vec<u8>> {
    let now = server.now;
    let operation = *datagram.get(1)?;
    let protocol = match operation {
        EXTERNAL_ADDRESS => return Some(external_address(server.book, server.engine, now)),
        MAP_UDP => NatProtocol::Udp,
        MAP_TCP => NatProtocol::Tcp,
        _ => return Some(head(server.book, operation, UNSUPPORTED_OPERATION, now)),
    };
    let &[i, j, e, f, a, b, c, d] = datagram.get(4..12)?.first_chunk()?;
    let (internal, suggested) = (u16::from_be_bytes([i, j]), u16::from_be_bytes([e, f]));
    let asked = u32::from_be_bytes([a, b, c, d]);
    let mapped = match asked {
        0 => end(server, protocol, internal),
        _ => map(server, [internal, suggested], protocol, asked),
    };
    let (result, port, lifetime) = match mapped {
        Ok((port, lifetime)) => (SUCCESS, port, lifetime),
        Err(refusal) => (result_of(refusal), 0, 0),
    };
    let mut bytes = head(server.book, operation, result, now);
    bytes.extend(internal.to_be_bytes());
    bytes.extend(port.to_be_bytes());
    bytes.extend(lifetime.to_be_bytes());
    Some(bytes)
}

fn map(
    server: &mut MappingServer<'_>,
    [internal, suggested]: [u16; 2],
    protocol: NatProtocol,
    asked: u32,
) -> Result<(u16, u32), LeaseRefusal> {
    // No host has a port 0.
    if internal == 0 {
        return Err(LeaseRefusal::NotAuthorized);
    }
    let lifetime = server.book.spec().lifetime(asked);
    let wish = LeaseWish {
        protocol,
        inside: SocketAddrV4::new(server.client, internal),
        port: suggested,
        exact: false,
        lifetime: Some(lifetime),
        origin: LeaseOrigin::NatPmp,
        description: String::new(),
    };
    let lease = server.book.lease(server.engine, &wish, server.now)?;
    let left = lease.seconds_left(server.now);
    Ok((lease.port, left.unwrap_or(u32::MAX)))
}

/// Ends one lease of a host, or all of a protocol for port 0 (section 3.4). What is not there has
/// ended already.
fn end(
    server: &mut MappingServer<'_>,
    protocol: NatProtocol,
    internal: u16,
) -> Result<(u16, u32), LeaseRefusal> {
    let of_origin = LeaseOrigin::NatPmp;
    let client = server.client;
    server.book.end(server.engine, client, of_origin, |lease| {
        let all = internal == 0 && lease.origin == of_origin;
        lease.protocol == protocol && (all || lease.inside.port() == internal)
    })?;
    Ok((0, 0))
}

fn result_of(refusal: LeaseRefusal) -> u16 {
    match refusal {
        LeaseRefusal::NotAuthorized => NOT_AUTHORIZED,
        LeaseRefusal::Taken | LeaseRefusal::Exhausted => OUT_OF_RESOURCES,
        LeaseRefusal::NoAddress => NETWORK_FAILURE,
    }
}

/// Returns the answer to a request for the external address, which is also told to all hosts.
pub(super) fn external_address(book: &LeaseBook, engine: &dyn LeaseEngine, now: u64) -> Vec<u8> {
    let (result, address) = match engine.external() {
        Some(address) => (SUCCESS, address),
        None => (NETWORK_FAILURE, Ipv4Addr::UNSPECIFIED),
    };
    let mut bytes = head(book, EXTERNAL_ADDRESS, result, now);
    bytes.extend(address.octets());
    bytes
}

/// Returns the answer to a request of a version that is not spoken here.
pub(super) fn unsupported_version(book: &LeaseBook, operation: u8, now: u64) -> Vec<u8> {
    head(book, operation, UNSUPPORTED_VERSION, now)
}

/// Returns version, operation, result and epoch.
fn head(book: &LeaseBook, operation: u8, result: u16, now: u64) -> Vec<u8> {
    let mut bytes = vec![0, operation | ANSWER];
    bytes.extend(result.to_be_bytes());
    bytes.extend(book.epoch(now).to_be_bytes());
    bytes
}
