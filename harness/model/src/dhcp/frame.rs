//! The frames that carry messages: Ethernet, IPv4 and UDP.

use std::net::Ipv4Addr;

use crate::packet::build::PacketSpec;
use crate::packet::transport::Transport;

/// Bytes of an Ethernet header, and of a UDP header.
const ETHERNET: usize = 14;
const UDP: usize = 8;

/// The MAC address of everybody.
pub const EVERYBODY: [u8; 6] = [0xff; 6];

/// The ports of servers and of clients (RFC 2131, section 4.1).
pub const SERVER_PORT: u16 = 67;
/// The port of clients.
pub const CLIENT_PORT: u16 = 68;

/// Returns the MAC address of the sender and the content of a datagram over IPv4; nothing if the
/// frame has none.
///
/// The checksum is not looked at: the sender's kernel may have left it to a network card that is
/// not there (Documentation/networking/checksum-offloads.rst).
pub fn unwrap(frame: &[u8]) -> Option<([u8; 6], &[u8])> {
    let sender = *frame.get(6..12)?.first_chunk()?;
    let words = usize::from(frame.get(ETHERNET)? & 15);
    let udp = frame.get(ETHERNET + 4 * words.max(5)..)?;
    let length = usize::from(u16::from_be_bytes(*udp.get(4..6)?.first_chunk()?));
    Some((sender, udp.get(UDP..length)?))
}

/// Returns a frame with a datagram: MAC addresses, IP addresses and ports of sender and receiver.
pub fn wrap(
    macs: [[u8; 6]; 2],
    ips: [Ipv4Addr; 2],
    [source, destination]: [u16; 2],
    payload: &[u8],
) -> Option<Vec<u8>> {
    let packet = PacketSpec {
        ips: ips.map(Into::into),
        transport: Transport::Udp {
            source,
            destination,
        },
        payload,
    };
    packet.frame(macs)
}
