//! Packets of TCP and UDP, whole, in fragments, as super-frames and cut off.

use super::*;
use crate::packet::segment::{Segments, complete_checksum};
use crate::packet::transport::{Tcp, TcpFlags};

fn tcp() -> Transport {
    Transport::Tcp(Tcp {
        source: 40_000,
        destination: 80,
        seq: 7,
        ack: 9,
        window: 500,
        flags: TcpFlags::ACK,
    })
}

#[test]
fn a_segment_goes_to_the_server_and_its_answer_comes_back() {
    let mut nat64 = nat64();
    let sent = made(HOST.into(), server_v6().into(), tcp(), b"GET /");
    let there = one(&mut nat64, &sent);
    checked(&there);
    assert_eq!(
        there,
        with_df(
            made(STANDS_FOR_HOST.into(), SERVER.into(), tcp(), b"GET /"),
            &there
        )
    );
    let answer = made(SERVER.into(), STANDS_FOR_HOST.into(), tcp(), b"200");
    let back = one(&mut nat64, &answer);
    assert_eq!(back, made(server_v6().into(), HOST.into(), tcp(), b"200"));
    assert_eq!(nat64.hosts(), [(HOST, STANDS_FOR_HOST)]);
    let counters = nat64.counters();
    assert_eq!((counters.to_v4, counters.to_v6), (1, 1));
}

/// Takes identification, flags and header checksum of `like` over, which translation chooses.
fn with_df(mut whole: Vec<u8>, like: &[u8]) -> Vec<u8> {
    for at in [4..8, 10..12] {
        let at = FRONT + at.start..FRONT + at.end;
        whole[at.clone()].copy_from_slice(&like[at]);
    }
    whole
}

#[test]
fn a_short_packet_may_be_fragmented_and_a_long_one_may_not() {
    let mut nat64 = nat64();
    for (payload, dont_fragment) in [(1232, false), (1233, true)] {
        let sent = made(
            HOST.into(),
            server_v6().into(),
            udp(1, 2),
            &vec![7; payload],
        );
        let there = one(&mut nat64, &sent);
        checked(&there);
        // The total length is 1260 or one more (RFC 7915, section 5.1).
        assert_eq!(there[FRONT + 6] & 0x40 != 0, dont_fragment, "{payload}");
    }
}

#[test]
fn a_checksum_that_is_left_to_a_card_stays_partial_and_comes_out_right() {
    let mut nat64 = nat64();
    let whole = made(HOST.into(), server_v6().into(), udp(1, 2), b"partial");
    let mut partial = whole.clone();
    // NEEDS_CSUM, from byte 54 of the frame on, at offset 6.
    partial[0] = 1;
    partial[6..8].copy_from_slice(&54u16.to_ne_bytes());
    partial[8..10].copy_from_slice(&6u16.to_ne_bytes());
    let pseudo = header::v6_pseudo_header([HOST, server_v6()], 17, 15);
    let sum = crate::packet::checksum::Sum::default()
        .add(&pseudo)
        .checksum();
    partial[FRONT + 46..FRONT + 48].copy_from_slice(&sum.map(|byte| !byte));
    let mut there = one(&mut nat64, &partial);
    assert_eq!(there[6..8], 34u16.to_ne_bytes());
    complete_checksum(&mut there);
    checked(&there);
}

#[test]
fn a_super_frame_is_cut_into_right_segments_on_the_other_side() {
    let mut nat64 = nat64();
    let payload: Vec<u8> = (0..5000u32).map(|at| at as u8).collect();
    let mut whole = made(HOST.into(), server_v6().into(), tcp(), &payload);
    whole[0] = 1;
    whole[1] = 4; // TCPv6
    for (at, value) in [(2, 74u16), (4, 1400), (6, 54), (8, 16)] {
        whole[at..at + 2].copy_from_slice(&value.to_ne_bytes());
    }
    let pseudo = header::v6_pseudo_header([HOST, server_v6()], 6, 5020);
    let sum = crate::packet::checksum::Sum::default()
        .add(&pseudo)
        .checksum();
    whole[FRONT + 56..FRONT + 58].copy_from_slice(&sum.map(|byte| !byte));
    let there = one(&mut nat64, &whole);
    assert_eq!(there[1], 1, "TCPv4");
    let segments = Segments::of(&there).expect("a frame");
    assert_eq!(segments.traffic().packets, 4);
    let mut complete = there.clone();
    complete_checksum(&mut complete);
    checked(&complete);
    // The answer is translated back.
    let mut back = complete;
    back[FRONT + 12..FRONT + 20].rotate_left(4);
    let back = one(&mut nat64, &back);
    assert_eq!(back[1], 4);
}

#[test]
fn fragments_keep_their_place_in_both_directions() {
    let mut nat64 = acquainted();
    // A fragment header with offset 1480 / 8, more to come, identification 0x1234_5678.
    let udp_part = vec![9; 64];
    let mut v6 = made(HOST.into(), server_v6().into(), udp(5, 6), &udp_part);
    let header = [
        17,
        0,
        (185u16 << 3 >> 8) as u8,
        (185u16 << 3) as u8 | 1,
        0x12,
        0x34,
        0x56,
        0x78,
    ];
    v6.splice(FRONT + 40..FRONT + 40, header);
    v6[FRONT + 6] = 44;
    let length = u16::from_be_bytes([v6[FRONT + 4], v6[FRONT + 5]]) + 8;
    v6[FRONT + 4..FRONT + 6].copy_from_slice(&length.to_be_bytes());
    let there = one(&mut nat64, &v6);
    assert_eq!(there[FRONT + 4..FRONT + 8], [0x56, 0x78, 0x20, 185]);
    assert_eq!(
        there[FRONT + 20..],
        v6[FRONT + 48..],
        "not a byte of it is a header"
    );
    let mut answer = there.clone();
    answer[FRONT + 12..FRONT + 20].rotate_left(4);
    let back = one(&mut nat64, &answer);
    assert_eq!(back[FRONT + 6], 44);
    let header = [17, 0, header[2], header[3], 0, 0, 0x56, 0x78];
    assert_eq!(back[FRONT + 40..FRONT + 48], header);
    assert_eq!(back[FRONT + 48..], v6[FRONT + 48..]);
}

#[test]
fn a_long_packet_that_may_be_fragmented_comes_in_fragments_of_the_least_mtu() {
    let mut nat64 = acquainted();
    let payload: Vec<u8> = (0..3000u32).map(|at| (at * 7) as u8).collect();
    let mut whole = made(
        SERVER.into(),
        STANDS_FOR_HOST.into(),
        udp(53, 4000),
        &payload,
    );
    whole[FRONT + 4..FRONT + 8].copy_from_slice(&[0xab, 0xcd, 0, 0]);
    let parts = nat64.translate(&whole, 0);
    let lengths: Vec<usize> = parts.iter().map(|part| part.len() - FRONT).collect();
    assert_eq!(lengths, [1280, 1280, 48 + 3008 - 2 * 1232]);
    let mut together: Vec<u8> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let header = &part[FRONT + 40..FRONT + 48];
        let word = u16::from_be_bytes([header[2], header[3]]);
        assert_eq!(usize::from(word >> 3) * 8, together.len());
        assert_eq!(word & 1 == 1, number < 2);
        assert_eq!(header[4..], [0, 0, 0xab, 0xcd]);
        together.extend(&part[FRONT + 48..]);
    }
    let expected = made(server_v6().into(), HOST.into(), udp(53, 4000), &payload);
    assert_eq!(together, expected[FRONT + 40..]);
}

#[test]
fn a_datagram_without_a_checksum_gets_one() {
    let mut nat64 = acquainted();
    let mut whole = made(SERVER.into(), STANDS_FOR_HOST.into(), udp(53, 4000), b"odd");
    whole[FRONT + 26..FRONT + 28].fill(0);
    let back = one(&mut nat64, &whole);
    assert_eq!(
        back,
        made(server_v6().into(), HOST.into(), udp(53, 4000), b"odd")
    );
    // A fragment cannot have one.
    whole[FRONT + 6] = 0x20;
    assert!(nat64.translate(&whole, 0).is_empty());
    assert_eq!(nat64.counters().dropped(TranslationDrop::Fragment), 1);
}

#[test]
fn a_client_of_464xlat_and_a_nat64_join_two_hosts_of_ipv4() {
    let mut clat = FamilyTranslator::clat(well_known(), [MAC_A, MAC_B]);
    let sent = made(ClatSpec::ADDRESS.into(), SERVER.into(), tcp(), b"GET /");
    let v6 = one(&mut clat, &sent);
    let local = ClatSpec::LOCAL.embed(ClatSpec::ADDRESS);
    assert_eq!(v6, made(local.into(), server_v6().into(), tcp(), b"GET /"));
    // The node's own address takes the place of that one: any other answers as well.
    let mut nat64 = nat64();
    checked(&one(&mut nat64, &v6));
    let answer = made(SERVER.into(), STANDS_FOR_HOST.into(), tcp(), b"200");
    let back = one(&mut clat, &one(&mut nat64, &answer));
    let expected = made(SERVER.into(), ClatSpec::ADDRESS.into(), tcp(), b"200");
    assert_eq!(back, with_df(expected, &back));
    checked(&back);
}
