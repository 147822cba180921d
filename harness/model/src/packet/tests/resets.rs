//! Resets, read back by a parser that checks their sums.

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};

use super::*;
use crate::packet::Tcp;
use crate::packet::reset;

fn resets(frame: &[u8]) -> [Vec<u8>; 2] {
    reset::of(frame, &Headers::of(frame)).expect("it is TCP")
}

/// Returns the TCP header of a frame whose checksums are all right.
fn checked(frame: &[u8]) -> Tcp {
    let sliced = SlicedPacket::from_ethernet(frame).expect("it is whole");
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else {
        panic!("not TCP: {sliced:?}");
    };
    let expected = match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => {
            let header = ip.header();
            assert_eq!(
                header.header_checksum(),
                header.to_header().calc_header_checksum()
            );
            tcp.calc_checksum_ipv4(header.source(), header.destination())
        }
        Some(NetSlice::Ipv6(ip)) => {
            let header = ip.header();
            tcp.calc_checksum_ipv6(header.source(), header.destination())
        }
        other => panic!("not IP: {other:?}"),
    };
    assert_eq!(Ok(tcp.checksum()), expected);
    *Headers::of(frame).tcp().unwrap()
}

#[test]
fn both_ends_get_the_sequence_number_that_they_expect() {
    let data = tcp_to_server(TcpFlags::ACK, 1000, 5000, b"twelve bytes");
    let [onward, back] = resets(&data);

    let to_server = checked(&onward);
    assert_eq!((to_server.source, to_server.destination), (40000, 80));
    assert_eq!((to_server.seq, to_server.ack), (1000, 5000));
    assert_eq!(to_server.flags, TcpFlags::RST.union(TcpFlags::ACK));
    assert_eq!(Headers::of(&onward).macs, Some([MAC_A, MAC_B]));

    let to_client = checked(&back);
    assert_eq!((to_client.source, to_client.destination), (80, 40000));
    assert_eq!((to_client.seq, to_client.ack), (5000, 1012));
    assert_eq!(to_client.flags, TcpFlags::RST.union(TcpFlags::ACK));
    assert_eq!(Headers::of(&back).macs, Some([MAC_B, MAC_A]));
}

#[test]
fn the_answer_to_a_syn_is_a_refusal() {
    let [onward, back] = resets(&syn());
    assert_eq!(checked(&onward).flags, TcpFlags::RST);
    let refusal = checked(&back);
    assert_eq!((refusal.seq, refusal.ack), (0, 101));
    assert_eq!(refusal.flags, TcpFlags::RST.union(TcpFlags::ACK));
}

#[test]
fn sequence_numbers_wrap() {
    let fin = TcpFlags::FIN.union(TcpFlags::ACK);
    let [_, back] = resets(&tcp_to_server(fin, u32::MAX - 1, 1, b"abc"));
    assert_eq!(checked(&back).ack, 2);
}

#[test]
fn a_vlan_tag_and_ipv6_are_kept() {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(MAC_A, MAC_B)
        .single_vlan(etherparse::VlanId::try_new(42).unwrap())
        .ipv6([1; 16], [2; 16], 64)
        .tcp(1, 2, 3, 4)
        .ack(5)
        .write(&mut frame, b"x")
        .unwrap();
    for reset in resets(&frame) {
        let _ = checked(&reset);
        assert_eq!(Headers::of(&reset).vlan, Some(42));
        assert_eq!(Headers::of(&reset).ethertype, 0x86dd);
    }
}

#[test]
fn what_is_no_tcp_has_no_resets() {
    for frame in [udp_from(1, b""), arp(), Vec::new()] {
        assert_eq!(reset::of(&frame, &Headers::of(&frame)), None);
    }
}
