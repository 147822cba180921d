//! Frames of one connection, to test with.

use std::sync::Arc;
use std::time::Duration;

use super::build::PacketSpec;
use super::headers::Headers;
use super::seen::{Packet, PacketView};
use super::transport::{Tcp, TcpFlags, Transport};
use crate::direction::Direction;

/// Address of the client.
pub const CLIENT: [u8; 4] = [10, 0, 0, 1];
/// Address of the server.
pub const SERVER: [u8; 4] = [10, 0, 0, 2];
/// MAC address of the client.
pub const MAC_A: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// MAC address of the server.
pub const MAC_B: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Returns a TCP segment from port 40000 of the client to port 80 of the server.
pub fn tcp_to_server(flags: TcpFlags, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    let tcp = Tcp {
        source: 40000,
        destination: 80,
        seq,
        ack,
        window: 1000,
        flags,
    };
    let packet = PacketSpec {
        ips: [CLIENT.into(), SERVER.into()],
        transport: Transport::Tcp(tcp),
        payload,
    };
    packet.frame([MAC_A, MAC_B]).expect("a packet of IPv4")
}

/// Returns a SYN of the client.
pub fn syn() -> Vec<u8> {
    tcp_to_server(TcpFlags::SYN, 100, 0, &[])
}

/// Returns the answer to [`syn`], from port 80 of the server to port 40000 of the client.
pub fn syn_ack() -> Vec<u8> {
    let tcp = Tcp {
        source: 80,
        destination: 40000,
        seq: 900,
        ack: 101,
        window: 1000,
        flags: TcpFlags::SYN.union(TcpFlags::ACK),
    };
    let packet = PacketSpec {
        ips: [SERVER.into(), CLIENT.into()],
        transport: Transport::Tcp(tcp),
        payload: &[],
    };
    packet.frame([MAC_B, MAC_A]).expect("a packet of IPv4")
}

/// Returns a datagram of the client over IPv6.
pub fn udp_from(port: u16, payload: &[u8]) -> Vec<u8> {
    let packet = PacketSpec {
        ips: [[1u8; 16].into(), [2u8; 16].into()],
        transport: Transport::Udp {
            source: port,
            destination: 53,
        },
        payload,
    };
    packet.frame([MAC_A, MAC_B]).expect("a packet of IPv6")
}

/// Returns an ARP request of the client.
pub fn arp() -> Vec<u8> {
    let mut frame = [MAC_B, MAC_A].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(MAC_A.iter().chain(&CLIENT).chain(&[0; 6]).chain(&SERVER));
    frame
}

/// Returns the packet that a test would see of a frame.
pub fn packet(frame: &[u8]) -> Packet {
    let link: Arc<str> = "alice–bob".into();
    let view = PacketView {
        link: &link,
        direction: Direction::AToB,
        at: Duration::ZERO,
        headers: Headers::of(frame),
        frame,
    };
    view.to_packet()
}
