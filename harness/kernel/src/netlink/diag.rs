//! The sockets of a network namespace, as plain values (`sock_diag(7)`).
//!
//! `/proc/net/tcp` shows the same for the namespace of the reader's process only, as text, and for
//! IPv4 apart from IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::BorrowedFd;

use nix::libc;
use snowglobe_derive::Serialize;

use super::connection::Netlink;
use super::encoding::{self, Message};
use super::error::NetlinkError;
use super::socket::{NetlinkProtocol, NetlinkSocket};
use crate::netns::Netns;

/// A socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "family")]
pub enum SocketEntry {
    /// TCP or UDP.
    Inet {
        /// `tcp` or `udp`.
        protocol: &'static str,
        /// `listen`, `established`, `time-wait`, …; a UDP socket is `close` or, when connected,
        /// `established`.
        state: &'static str,
        /// Address of the socket itself.
        local: SocketAddr,
        /// Address of the other side, if the socket is connected.
        peer: Option<SocketAddr>,
        /// Bytes that were received and not read; for a listener, connections not yet accepted.
        receive_queue: u32,
        /// Bytes that were sent and not acknowledged; for a listener, the limit of waiting
        /// connections.
        send_queue: u32,
        /// User id of the owner, as the reader's user namespace shows it.
        uid: u32,
        /// Inode number, which `/proc/PID/fd` shows; 0 when no process holds the socket any more.
        inode: u32,
    },
    /// A Unix socket.
    Unix {
        /// `stream`, `datagram` or `seqpacket`.
        kind: &'static str,
        /// `listen`, `established` or `close`.
        state: &'static str,
        /// Path, or the abstract name with `@` in front.
        path: Option<String>,
        /// Inode number of the other side.
        peer: Option<u32>,
        /// Inode number, which `/proc/PID/fd` shows.
        inode: u32,
    },
}

/// Lists all TCP, UDP and Unix sockets of a network namespace.
///
/// # Errors
/// The kernel refused the socket or the list.
pub fn sockets(netns: BorrowedFd<'_>) -> Result<Vec<SocketEntry>, NetlinkError> {
    let refused = |errno| NetlinkError::refused("open", "a socket diagnosis socket", errno, None);
    let socket = Netns::visit(netns, || {
        NetlinkSocket::open(NetlinkProtocol::SocketDiagnosis)
    })
    .and_then(|opened| opened)
    .map_err(refused)?;
    sockets_of(socket)
}

/// Lists the sockets of the namespace in which `socket` was opened.
pub(super) fn sockets_of(socket: NetlinkSocket) -> Result<Vec<SocketEntry>, NetlinkError> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    let mut netlink = Netlink::from_socket(socket);
    let mut found = Vec::new();
    for (protocol, number) in [("tcp", libc::IPPROTO_TCP), ("udp", libc::IPPROTO_UDP)] {
        // One dump is about one family and one protocol (sock_diag(7)).
        for family in [libc::AF_INET, libc::AF_INET6] {
            let request = inet_request(family as u8, number as u8);
            found.extend(netlink.dump(
                "list the sockets of",
                SOCK_DIAG_BY_FAMILY,
                &request,
                |message| inet(protocol, message),
            )?);
        }
    }
    found.extend(netlink.dump(
        "list the Unix sockets of",
        SOCK_DIAG_BY_FAMILY,
        &unix_request(),
        unix,
    )?);
    Ok(found)
}

/// Returns a `struct inet_diag_req_v2` for every state and every address.
fn inet_request(family: u8, protocol: u8) -> Vec<u8> {
    let mut request = vec![family, protocol, 0, 0];
    request.extend(u32::MAX.to_ne_bytes());
    // `struct inet_diag_sockid`, all zero: every address.
    request.resize(56, 0);
    request
}

/// Returns a `struct unix_diag_req` for every state, with name and peer.
fn unix_request() -> Vec<u8> {
    const UDIAG_SHOW_NAME: u32 = 1;
    const UDIAG_SHOW_PEER: u32 = 4;
    let mut request = vec![libc::AF_UNIX as u8, 0, 0, 0];
    request.extend(u32::MAX.to_ne_bytes());
    request.extend(0u32.to_ne_bytes());
    request.extend((UDIAG_SHOW_NAME | UDIAG_SHOW_PEER).to_ne_bytes());
    request.extend([0; 8]);
    request
}

/// Reads a `struct inet_diag_msg`.
fn inet(protocol: &'static str, message: &Message<'_>) -> Option<SocketEntry> {
    let bytes = message.payload.get(..72)?;
    let address = |port_at: usize, address_at: usize| {
        let port = u16::from_be_bytes([bytes[port_at], bytes[port_at + 1]]);
        Some(SocketAddr::new(
            ip(bytes[0], bytes.get(address_at..address_at + 16)?)?,
            port,
        ))
    };
    let peer = address(6, 24)?;
    Some(SocketEntry::Inet {
        protocol,
        state: state(bytes[1]),
        local: address(4, 8)?,
        // A socket that is not connected has a peer of all zeros.
        peer: Some(peer).filter(|peer| peer.port() != 0),
        receive_queue: encoding::u32_at(bytes, 56)?,
        send_queue: encoding::u32_at(bytes, 60)?,
        uid: encoding::u32_at(bytes, 64)?,
        inode: encoding::u32_at(bytes, 68)?,
    })
}

fn ip(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    Some(match i32::from(family) {
        // Both families have room for 16 bytes; IPv4 uses the first four.
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(..4)?).ok()?)),
        _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
    })
}

/// Reads a `struct unix_diag_msg` and its attributes.
fn unix(message: &Message<'_>) -> Option<SocketEntry> {
    const UNIX_DIAG_NAME: u16 = 0;
    const UNIX_DIAG_PEER: u16 = 2;
    let bytes = message.payload.get(..16)?;
    let attributes = &message.payload[16..];
    Some(SocketEntry::Unix {
        kind: match i32::from(bytes[1]) {
            libc::SOCK_STREAM => "stream",
            libc::SOCK_DGRAM => "datagram",
            libc::SOCK_SEQPACKET => "seqpacket",
            _ => "unknown",
        },
        state: state(bytes[2]),
        path: encoding::find(attributes, UNIX_DIAG_NAME)
            .filter(|name| !name.is_empty())
            .map(unix_name),
        peer: encoding::find(attributes, UNIX_DIAG_PEER)
            .and_then(|value| encoding::u32_at(value, 0)),
        inode: encoding::u32_at(bytes, 4)?,
    })
}

pub(super) fn unix_name(name: &[u8]) -> String {
    match name.split_first() {
        // An abstract name begins with a zero byte and may contain more of them (unix(7)).
        Some((0, hidden)) => format!("@{}", String::from_utf8_lossy(hidden)),
        _ => encoding::text(name),
    }
}

fn state(number: u8) -> &'static str {
    // In the order of `enum` TCP_* in `net/tcp_states.h`, which starts at 1; Unix sockets use the
    // same numbers.
    const NAMES: [&str; 13] = [
        "unknown",
        "established",
        "syn-sent",
        "syn-received",
        "fin-wait-1",
        "fin-wait-2",
        "time-wait",
        "close",
        "close-wait",
        "last-ack",
        "listen",
        "closing",
        "syn-received",
    ];
    NAMES.get(usize::from(number)).copied().unwrap_or("unknown")
}
