//! PCP (RFC 6887).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};

use super::book::{LeaseBook, LeaseWish, end_of};
use super::engine::{LeaseRefusal, has_ports};
use super::lease::{HeldPeer, LeaseOrigin, PortLease};
use super::natpmp::ANSWER;
use super::server::MappingServer;
use crate::nat::{NatProtocol, RequestedPort};

/// The version of the protocol.
pub(super) const VERSION: u8 = 2;

/// Bytes of the header of requests and answers (section 7.1).
const HEADER: usize = 24;
/// The most bytes of a message (section 7).
const LONGEST: usize = 1100;

/// Operations (section 19.1).
const ANNOUNCE: u8 = 0;
const MAP: u8 = 1;
const PEER: u8 = 2;

/// The option with which a host takes no other port than the one that it asks for (section 13.2).
const PREFER_FAILURE: u8 = 2;

/// The codes of refusals (section 7.4), with the time for which the host is not to ask again: half
/// a minute or half an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PcpResult {
    UnsupportedVersion = 1,
    NotAuthorized = 2,
    Malformed = 3,
    UnsupportedOperation = 4,
    UnsupportedOption = 5,
    MalformedOption = 6,
    NetworkFailure = 7,
    NoResources = 8,
    UnsupportedProtocol = 9,
    CannotProvideExternal = 11,
    AddressMismatch = 12,
}

impl PcpResult {
    fn lifetime(self) -> u32 {
        match self {
            PcpResult::NetworkFailure
            | PcpResult::NoResources
            | PcpResult::CannotProvideExternal => 30,
            PcpResult::UnsupportedVersion
            | PcpResult::NotAuthorized
            | PcpResult::Malformed
            | PcpResult::UnsupportedOperation
            | PcpResult::UnsupportedOption
            | PcpResult::MalformedOption
            | PcpResult::UnsupportedProtocol
            | PcpResult::AddressMismatch => 1800,
        }
    }
}

impl From<LeaseRefusal> for PcpResult {
    fn from(refusal: LeaseRefusal) -> Self {
        match refusal {
            LeaseRefusal::NotAuthorized => PcpResult::NotAuthorized,
            LeaseRefusal::Taken => PcpResult::CannotProvideExternal,
            LeaseRefusal::Exhausted => PcpResult::NoResources,
            LeaseRefusal::NoAddress => PcpResult::NetworkFailure,
        }
    }
}

/// A request for a mapping: what MAP and PEER have in common.
struct MapRequest {
    nonce: [u8; 12],
    protocol: u8,
    internal: u16,
    suggested: u16,
    suggested_address: Ipv6Addr,
    /// The remote port and address of PEER.
    remote: Option<(u16, Ipv6Addr)>,
    prefer_failure: bool,
}

/// Answer to a host that has asked for a mapping.
struct Mapped {
    lifetime: u32,
    external: SocketAddrV4,
}

/// Answers a request of version 2 or, if it is too short for that, refuses it.
pub(super) fn answer(server: &mut MappingServer<'_>, datagram: &[u8]) -> Vec<u8> {
    match answered(server, datagram) {
        Ok(bytes) => bytes,
        Err(result) => refusal(server.book, datagram, result, server.now),
    }
}

fn answered(server: &mut MappingServer<'_>, datagram: &[u8]) -> Result<Vec<u8>, PcpResult> {
    let now = server.now;
    let header: &[u8; HEADER] = datagram.first_chunk().ok_or(PcpResult::Malformed)?;
    if datagram.len() > LONGEST || !datagram.len().is_multiple_of(4) {
        return Err(PcpResult::Malformed);
    }
    let &[_, operation, _, _, a, b, c, d, ..] = header;
    let asked = u32::from_be_bytes([a, b, c, d]);
    // A translation between host and router would make the address of the request worthless
    // (section 8.3).
    if header.last_chunk() != Some(&server.client.to_ipv6_mapped().octets()) {
        return Err(PcpResult::AddressMismatch);
    }
    match operation {
        ANNOUNCE => {
            options(&datagram[HEADER..])?;
            Ok(head(server.book, ANNOUNCE, 0, 0, now))
        }
        MAP | PEER => {
            let body = &datagram[HEADER..];
            let request = MapRequest::read(operation, body)?;
            let mapped = match request.remote {
                None => map(server, &request, asked)?,
                Some(remote) => peer(server, &request, remote, asked)?,
            };
            let mut bytes = head(server.book, operation, 0, mapped.lifetime, now);
            bytes.extend(&body[..16]);
            bytes.extend(request.internal.to_be_bytes());
            bytes.extend(mapped.external.port().to_be_bytes());
            bytes.extend(mapped.external.ip().to_ipv6_mapped().octets());
            // The remote end of PEER comes back as it was.
            bytes.extend(&body[36..request.length()]);
            // An option that was heeded comes back too (section 7.3).
            if request.prefer_failure {
                bytes.extend([PREFER_FAILURE, 0, 0, 0]);
            }
            Ok(bytes)
        }
        _ => Err(PcpResult::UnsupportedOperation),
    }
}

impl MapRequest {
    /// Reads the part of MAP (36 bytes) or PEER (56 bytes) that follows the header, and the
    /// options: sections 11.1 and 12.1.
    fn read(operation: u8, body: &[u8]) -> Result<MapRequest, PcpResult> {
        let part: &[u8; 36] = body.first_chunk().ok_or(PcpResult::Malformed)?;
        let port = |at: usize| u16::from_be_bytes([part[at], part[at + 1]]);
        let address = |bytes: Option<&[u8; 16]>| bytes.map(|it| Ipv6Addr::from(*it));
        let remote = match operation {
            PEER => {
                let more: &[u8; 20] = body[36..].first_chunk().ok_or(PcpResult::Malformed)?;
                let port = u16::from_be_bytes([more[0], more[1]]);
                let address = address(more.last_chunk()).ok_or(PcpResult::Malformed)?;
                Some((port, address))
            }
            _ => None,
        };
        let mut request = MapRequest {
            nonce: *part.first_chunk().ok_or(PcpResult::Malformed)?,
            protocol: part[12],
            internal: port(16),
            suggested: port(18),
            suggested_address: address(part.last_chunk()).ok_or(PcpResult::Malformed)?,
            remote,
            prefer_failure: false,
        };
        request.prefer_failure = options(&body[request.length()..])?;
        // A host that wants one remote end takes any port (section 13.2).
        if request.prefer_failure && remote.is_some() {
            return Err(PcpResult::UnsupportedOption);
        }
        Ok(request)
    }

    /// Returns the length of the part that follows the header, without options.
    fn length(&self) -> usize {
        if self.remote.is_some() { 56 } else { 36 }
    }

    fn origin(&self) -> LeaseOrigin {
        LeaseOrigin::Pcp(self.nonce)
    }

    /// Returns the address that the host would like, if it has a wish: all zeros are none (section
    /// 11.1).
    fn wished_address(&self) -> Option<Ipv6Addr> {
        let v4 = self.suggested_address.to_ipv4_mapped();
        let is_none =
            self.suggested_address.is_unspecified() || v4.is_some_and(|v4| v4.is_unspecified());
        (!is_none).then_some(self.suggested_address)
    }
}

/// Reads options, and returns whether PREFER_FAILURE is among them. An option whose code is 128 or
/// more may be left out (section 7.3).
fn options(mut bytes: &[u8]) -> Result<bool, PcpResult> {
    let mut prefer_failure = false;
    while !bytes.is_empty() {
        let (&[code, _, a, b], rest) = bytes
            .split_first_chunk()
            .ok_or(PcpResult::MalformedOption)?;
        let length = usize::from(u16::from_be_bytes([a, b]));
        bytes = rest
            .get(length.next_multiple_of(4)..)
            .ok_or(PcpResult::MalformedOption)?;
        match code {
            PREFER_FAILURE if length > 0 || prefer_failure => {
                return Err(PcpResult::MalformedOption);
            }
            PREFER_FAILURE => prefer_failure = true,
            128.. => {}
            // THIRD_PARTY and FILTER are among those that a server need not have (sections 13.1,
            // 13.3).
            _ => return Err(PcpResult::UnsupportedOption),
        }
    }
    Ok(prefer_failure)
}

fn map(
    server: &mut MappingServer<'_>,
    request: &MapRequest,
    asked: u32,
) -> Result<Mapped, PcpResult> {
    // Protocol 0 stands for all, which ports cannot be given for (section 11.1).
    if request.protocol == 0 && request.internal != 0 {
        return Err(PcpResult::Malformed);
    }
    let protocol = has_ports(request.protocol);
    if asked == 0 {
        return end(server, request, protocol);
    }
    let protocol = protocol.ok_or(PcpResult::UnsupportedProtocol)?;
    // Port 0 stands for all ports, which one address cannot give to one host.
    if request.internal == 0 {
        return Err(PcpResult::UnsupportedProtocol);
    }
    let external = server.engine.external().ok_or(PcpResult::NetworkFailure)?;
    let other = request.wished_address();
    if request.prefer_failure && other.is_some_and(|it| it != external.to_ipv6_mapped()) {
        return Err(PcpResult::CannotProvideExternal);
    }
    let wish = LeaseWish {
        protocol,
        inside: SocketAddrV4::new(server.client, request.internal),
        port: request.suggested,
        // Without a wish there is nothing that could fail.
        exact: request.prefer_failure && request.suggested != 0,
        lifetime: Some(server.book.spec().lifetime(asked)),
        origin: request.origin(),
        description: String::new(),
    };
    let lease = server.book.lease(server.engine, &wish, server.now)?;
    Ok(Mapped {
        lifetime: lease.seconds_left(server.now).unwrap_or(u32::MAX),
        external: SocketAddrV4::new(external, lease.port),
    })
}

/// Ends one lease of a host, or all of its leases of a protocol, or of all protocols (section 15).
fn end(
    server: &mut MappingServer<'_>,
    request: &MapRequest,
    protocol: Option<NatProtocol>,
) -> Result<Mapped, PcpResult> {
    let (origin, all) = (request.origin(), request.protocol == 0);
    let end = |lease: &PortLease| {
        let of_protocol = all || Some(lease.protocol) == protocol;
        match request.internal {
            // Ports of other nonces were not asked for by this program.
            0 => of_protocol && lease.origin == origin,
            internal => of_protocol && lease.inside.port() == internal,
        }
    };
    server.book.end(server.engine, server.client, origin, end)?;
    Ok(Mapped {
        lifetime: 0,
        external: SocketAddrV4::new(
            server.engine.external().unwrap_or(Ipv4Addr::UNSPECIFIED),
            request.suggested,
        ),
    })
}

fn peer(
    server: &mut MappingServer<'_>,
    request: &MapRequest,
    (port, address): (u16, Ipv6Addr),
    asked: u32,
) -> Result<Mapped, PcpResult> {
    let protocol = has_ports(request.protocol).ok_or(PcpResult::UnsupportedProtocol)?;
    let remote = address.to_ipv4_mapped().ok_or(PcpResult::Malformed)?;
    if request.internal == 0 || port == 0 || remote.is_unspecified() {
        return Err(PcpResult::Malformed);
    }
    // A lifetime of 0 asks for what the traffic alone would have (section 12.3).
    let lifetime = match asked {
        0 => std::time::Duration::ZERO,
        asked => server.book.spec().lifetime(asked),
    };
    let wanted = RequestedPort {
        protocol,
        inside: SocketAddrV4::new(server.client, request.internal),
        port: request.suggested,
        exact: false,
        until: end_of(lifetime, server.now),
    };
    let remote = SocketAddrV4::new(remote, port);
    let external = server.engine.hold(&wanted, remote)?;
    server.book.keep(HeldPeer {
        protocol,
        inside: wanted.inside,
        remote,
        until: wanted.until,
    });
    Ok(Mapped {
        lifetime: u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX),
        external,
    })
}

/// Returns the message by which all hosts hear of the epoch (section 14.1.2).
pub(super) fn announcement(book: &LeaseBook, now: u64) -> Vec<u8> {
    head(book, ANNOUNCE, 0, 0, now)
}

/// Returns the answer to a request of a version that is not spoken here (section 9).
pub(super) fn unsupported_version(book: &LeaseBook, datagram: &[u8], now: u64) -> Vec<u8> {
    refusal(book, datagram, PcpResult::UnsupportedVersion, now)
}

/// Returns a refusal: the header, and the rest of the request as it was, in whole words (section
/// 8.2).
fn refusal(book: &LeaseBook, datagram: &[u8], result: PcpResult, now: u64) -> Vec<u8> {
    let operation = datagram.get(1).copied().unwrap_or(ANNOUNCE);
    let mut bytes = head(book, operation, result as u8, result.lifetime(), now);
    bytes.extend(datagram.get(HEADER..).unwrap_or_default());
    bytes.truncate(LONGEST);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Returns the header of an answer (section 7.2).
fn head(book: &LeaseBook, operation: u8, result: u8, lifetime: u32, now: u64) -> Vec<u8> {
    let mut bytes = vec![VERSION, operation | ANSWER, 0, result];
    bytes.extend(lifetime.to_be_bytes());
    bytes.extend(book.epoch(now).to_be_bytes());
    bytes.extend([0; 12]);
    bytes
}
