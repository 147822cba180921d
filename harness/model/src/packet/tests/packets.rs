//! Headers that are read of frames, whole or not.

use super::*;

#[test]
fn the_headers_of_tcp_are_read() {
    let frame = tcp_to_server(TcpFlags::ACK, 7, 8, b"GET /");
    let packet = packet(&frame);
    assert_eq!(packet.link(), "alice–bob");
    assert_eq!(packet.source_mac(), Some(MAC_A));
    assert_eq!(packet.destination_mac(), Some(MAC_B));
    assert_eq!(packet.ethertype(), 0x0800);
    assert_eq!(packet.source(), Some(CLIENT.into()));
    assert_eq!(packet.destination(), Some(SERVER.into()));
    assert_eq!(packet.source_port(), Some(40000));
    assert_eq!(packet.destination_port(), Some(80));
    let tcp = packet.tcp().unwrap();
    assert_eq!((tcp.seq, tcp.ack, tcp.window), (7, 8, 1000));
    assert_eq!(tcp.flags, TcpFlags::ACK);
    assert_eq!(packet.payload(), b"GET /");
    assert_eq!(packet.len(), 14 + 20 + 20 + 5);
    assert_eq!(
        packet.to_string(),
        "+0.000000s a→b TCP 10.0.0.1:40000 → 10.0.0.2:80 [ACK] seq 7 ack 8, 59 bytes"
    );
}

#[test]
fn ethernet_padding_is_no_payload() {
    let mut frame = tcp_to_server(TcpFlags::ACK, 1, 1, b"");
    frame.resize(60, 0);
    assert_eq!(packet(&frame).payload(), b"");
    assert_eq!(packet(&frame).len(), 60);
}

#[test]
fn a_vlan_tag_is_looked_through() {
    let plain = udp_from(9, b"hello");
    let tagged = [&plain[..12], &[0x81, 0, 0x60, 42], &plain[12..]].concat();
    let packet = packet(&tagged);
    assert_eq!(packet.vlan(), Some(42));
    assert_eq!(packet.ethertype(), 0x86dd);
    assert_eq!(packet.source_port(), Some(9));
    assert_eq!(packet.payload(), b"hello");
    assert!(packet.is_udp());
}

#[test]
fn a_segment_that_is_longer_than_its_headers_can_say_is_read() {
    // What leaves a sender with BIG TCP: the length of the IP header is 0.
    let mut frame = tcp_to_server(TcpFlags::ACK, 1, 1, &[b'x'; 1000]);
    frame.resize(70_000, b'x');
    frame[16..18].fill(0);
    assert_eq!(packet(&frame).destination_port(), Some(80));
}

#[test]
fn frames_that_are_cut_off_anywhere_are_read_as_far_as_they_go() {
    for whole in [syn(), udp_from(1, b"abc"), arp(), syn_ack()] {
        for length in 0..whole.len() {
            let cut = packet(&whole[..length]);
            assert_eq!(cut.len(), length);
            assert!(cut.payload().len() <= length);
            let _ = cut.to_string();
        }
    }
}

#[test]
fn random_bytes_do_no_harm() {
    let mut state = 1u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    for round in 0..4_000 {
        let mut frame = if round % 2 == 0 {
            syn()
        } else {
            udp_from(1, b"some bytes")
        };
        for _ in 0..4 {
            let at = usize::from(random()) % frame.len();
            frame[at] = random();
        }
        let packet = packet(&frame);
        let _ = (packet.payload(), packet.to_string());
        let _ = crate::rules::bit_to_flip(&frame);
        let _ = crate::packet::reset::of(&frame, &Headers::of(&frame));
    }
}

#[test]
fn the_bit_that_is_flipped_is_in_the_payload_and_never_in_the_ethernet_header() {
    let flip = crate::rules::bit_to_flip;
    let frame = tcp_to_server(TcpFlags::ACK, 1, 1, b"0123456789");
    assert_eq!(flip(&frame), Some((54 + 5, 0x10)));
    assert_eq!(flip(&syn()), Some((53, 0x10)));
    assert_eq!(flip(&frame[..14]), None);
    assert_eq!(flip(&[]), None);
}
