//! Rules and packets, without a wire.

mod matches;
mod packets;
mod resets;
mod rules;

use std::sync::Arc;

use etherparse::PacketBuilder;

use super::headers::{Headers, TcpFlags};
use super::packet::{Packet, View};
use crate::impair::Direction;

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];
const MAC_A: [u8; 6] = [2, 0, 0, 0, 0, 1];
const MAC_B: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// From port 40000 of the client to port 80 of the server.
fn tcp_to_server(flags: TcpFlags, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
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

fn syn() -> Vec<u8> {
    tcp_to_server(TcpFlags::SYN, 100, 0, &[])
}

/// From port 80 of the server to port 40000 of the client.
fn syn_ack() -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MAC_B, MAC_A).ipv4(SERVER, CLIENT, 64);
    let mut frame = Vec::new();
    let builder = builder.tcp(80, 40000, 900, 1000).syn().ack(101);
    builder.write(&mut frame, &[]).unwrap();
    frame
}

fn udp_from(port: u16, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(MAC_A, MAC_B).ipv6([1; 16], [2; 16], 64);
    let mut frame = Vec::new();
    builder.udp(port, 53).write(&mut frame, payload).unwrap();
    frame
}

fn arp() -> Vec<u8> {
    let mut frame = [MAC_B, MAC_A].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(MAC_A.iter().chain(&CLIENT).chain(&[0; 6]).chain(&SERVER));
    frame
}

fn packet(frame: &[u8]) -> Packet {
    let link: Arc<str> = "alice–bob".into();
    let view = View {
        link: &link,
        direction: Direction::AToB,
        time: 0,
        headers: Headers::of(frame),
        frame,
    };
    view.to_packet()
}
