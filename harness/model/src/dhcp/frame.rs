//! The frames that carry messages: Ethernet, IPv4 and UDP.

use std::net::Ipv4Addr;

use crate::packet::build::PacketSpec;
use crate::packet::headers::Headers;
use crate::packet::transport::Transport;

/// The MAC address of everybody.
pub const EVERYBODY: [u8; 6] = [0xff; 6];

/// The ports of servers and of clients (RFC 2131, section 4.1).
pub const SERVER_PORT: u16 = 67;
/// The port of clients.
pub const CLIENT_PORT: u16 = 68;

/// Returns the MAC address of the sender and the content of a datagram; nothing if the frame has
/// none.
///
/// The checksum is not looked at: the sender's kernel may have left it to a network card that is
/// not there (Documentation/networking/checksum-offloads.rst).
pub fn unwrap(frame: &[u8]) -> Option<([u8; 6], &[u8])> {
    let headers = Headers::of(frame);
    let is_datagram = matches!(headers.transport, Transport::Udp { .. });
    let [sender, _] = headers.macs.filter(|_| is_datagram)?;
    let [from, to] = headers.payload;
    Some((sender, frame.get(from..to)?))
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
