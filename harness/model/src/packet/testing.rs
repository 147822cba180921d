//! Frames of one connection, to test with.

use std::sync::Arc;
use std::time::Duration;

use etherparse::PacketBuilder;

use super::headers::{Headers, TcpFlags};
use super::seen::{Packet, View};
use crate::direction::Direction;

/// Address of the client.
pub const CLIENT: [u8; 4] = [10, 0, 0, 1];
/// Address of the server.
pub const SERVER: [u8; 4] = [10, 0, 0, 2];
/// MAC address of the client.
pub const MAC_A: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// MAC address of the server.
pub const MAC_B: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// From port 40000 of the client to port 80 of the server.
pub fn tcp_to_server(flags: TcpFlags, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MAC_A, MAC_B).ipv4(CLIENT, SERVER, 64);
    let mut builder = builder.tcp(40000, 80, seq, 1000);
    if flags.contains(TcpFlags::SYN) {
        builder = builder.syn();
    }
    if flags.contains(TcpFlags::FIN) {
        builder = builder.fin();
    }
    if flags.contains(TcpFlags::ACK) {
        builder = builder.ack(ack);
    }
    let mut frame = Vec::new();
    builder.write(&mut frame, payload).unwrap();
    frame
}

/// Returns a SYN of the client.
pub fn syn() -> Vec<u8> {
    tcp_to_server(TcpFlags::SYN, 100, 0, &[])
}

/// From port 80 of the server to port 40000 of the client.
pub fn syn_ack() -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MAC_B, MAC_A).ipv4(SERVER, CLIENT, 64);
    let mut frame = Vec::new();
    let builder = builder.tcp(80, 40000, 900, 1000).syn().ack(101);
    builder.write(&mut frame, &[]).unwrap();
    frame
}

/// Returns a datagram of the client over IPv6.
pub fn udp_from(port: u16, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MAC_A, MAC_B).ipv6([1; 16], [2; 16], 64);
    let mut frame = Vec::new();
    builder.udp(port, 53).write(&mut frame, payload).unwrap();
    frame
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
    let view = View {
        link: &link,
        direction: Direction::AToB,
        at: Duration::ZERO,
        headers: Headers::of(frame),
        frame,
    };
    view.to_packet()
}
