//! Super-frames and their segments, byte by byte. What is expected was computed by a program that shares no code with ours.

use super::Segments;
use crate::impair::counters::Traffic;

/// An address and a type.
const ETHERNET: &str = "020000000002020000000001";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| {
        let pair = str::from_utf8(pair).expect("ASCII");
        u8::from_str_radix(pair, 16).expect("two digits")
    };
    digits.chunks(2).map(byte).collect()
}

/// A frame behind its virtio-net header: flags and kind, the segments' size, where the checksum begins and stands.
fn framed(kind: [u8; 2], numbers: [u16; 3], frame: &str) -> Vec<u8> {
    // The length of the headers is a hint, and a wrong one here.
    let hint = 7u16;
    let mut whole = kind.to_vec();
    for number in [hint].iter().chain(&numbers) {
        whole.extend_from_slice(&number.to_ne_bytes());
    }
    whole.extend_from_slice(&bytes(&format!("{ETHERNET}{frame}")));
    whole
}

/// Cuts, and compares with frames that are given without their Ethernet addresses.
#[track_caller]
fn is_cut_into(whole: &[u8], expected: &[&str]) {
    let segments = Segments::of(whole).expect("a whole header");
    assert_eq!(segments.count(), expected.len());
    let mut length = 0;
    for (index, expected) in expected.iter().enumerate() {
        let mut written = vec![0xee; 100];
        segments.write(index, &mut written);
        let (header, frame) = written.split_at(10);
        assert_eq!(header, [0; 10]);
        assert_eq!(
            frame,
            bytes(&format!("{ETHERNET}{expected}")),
            "segment {index}"
        );
        length += frame.len() as u64;
    }
    let counted = Traffic {
        packets: expected.len() as u64,
        bytes: length,
    };
    assert_eq!(segments.traffic(), counted);
}

#[test]
fn tcp_over_ipv4_counts_its_ids_and_sequence_numbers_on_and_keeps_flags_where_they_belong() {
    // CWR belongs to the first, FIN and PSH to the last; the id and the sequence number begin anew at zero.
    let whole = framed(
        [1, 0x81],
        [4, 34, 16],
        "0800 4500003effff4000400626b80a0000010a000002 9c400050fffffffe11223344809901f4143300000101080a0000000700000009 a0a1a2a3a4a5a6a7a8a9",
    );
    is_cut_into(
        &whole,
        &[
            "0800 45000038ffff4000400626be0a0000010a000002 9c400050fffffffe11223344809001f43bf800000101080a0000000700000009 a0a1a2a3",
            "0800 4500003800004000400626be0a0000010a000002 9c4000500000000211223344801001f4346d00000101080a0000000700000009 a4a5a6a7",
            "0800 4500003600014000400626bf0a0000010a000002 9c4000500000000611223344801901f4d70500000101080a0000000700000009 a8a9",
        ],
    );
}

#[test]
fn a_vlan_tag_is_before_each_segment() {
    let whole = framed(
        [1, 1],
        [4, 38, 16],
        "8100002a0800 4500003effff4000400626b80a0000010a000002 9c400050fffffffe11223344809901f4143300000101080a0000000700000009 a0a1a2a3a4a5a6a7a8a9",
    );
    is_cut_into(
        &whole,
        &[
            "8100002a0800 45000038ffff4000400626be0a0000010a000002 9c400050fffffffe11223344809001f43bf800000101080a0000000700000009 a0a1a2a3",
            "8100002a0800 4500003800004000400626be0a0000010a000002 9c4000500000000211223344801001f4346d00000101080a0000000700000009 a4a5a6a7",
            "8100002a0800 4500003600014000400626bf0a0000010a000002 9c4000500000000611223344801901f4d70500000101080a0000000700000009 a8a9",
        ],
    );
}

const FROM_TO_V6: &str = "fd000000000000000000000000000001fd000000000000000000000000000002";

#[test]
fn tcp_over_ipv6() {
    let whole = framed(
        [1, 4],
        [4, 54, 16],
        &format!(
            "86dd 60000000002a0640{FROM_TO_V6} 9c400050fffffffe11223344809901f4fa3400000101080a0000000700000009 a0a1a2a3a4a5a6a7a8a9"
        ),
    );
    is_cut_into(
        &whole,
        &[
            &format!(
                "86dd 6000000000240640{FROM_TO_V6} 9c400050fffffffe11223344809001f455f600000101080a0000000700000009 a0a1a2a3"
            ),
            &format!(
                "86dd 6000000000240640{FROM_TO_V6} 9c4000500000000211223344801001f44e6b00000101080a0000000700000009 a4a5a6a7"
            ),
            &format!(
                "86dd 6000000000220640{FROM_TO_V6} 9c4000500000000611223344801901f4f10300000101080a0000000700000009 a8a9"
            ),
        ],
    );
}

#[test]
fn udp_over_ipv4() {
    let whole = framed(
        [1, 5],
        [4, 34, 6],
        "0800 4500002610004000401116c50a0000010a000002 0fa0003500121426 a0a1a2a3a4a5a6a7a8a9",
    );
    is_cut_into(
        &whole,
        &[
            "0800 4500002010004000401116cb0a0000010a000002 0fa00035000c98b9 a0a1a2a3",
            "0800 4500002010014000401116ca0a0000010a000002 0fa00035000c90b1 a4a5a6a7",
            "0800 4500001e10024000401116cb0a0000010a000002 0fa00035000a3359 a8a9",
        ],
    );
}

#[test]
fn udp_over_ipv6() {
    let whole = framed(
        [1, 5],
        [4, 54, 6],
        &format!("86dd 6000000000121140{FROM_TO_V6} 0fa000350012fa27 a0a1a2a3a4a5a6a7a8a9"),
    );
    is_cut_into(
        &whole,
        &[
            &format!("86dd 60000000000c1140{FROM_TO_V6} 0fa00035000cb2b7 a0a1a2a3"),
            &format!("86dd 60000000000c1140{FROM_TO_V6} 0fa00035000caaaf a4a5a6a7"),
            &format!("86dd 60000000000a1140{FROM_TO_V6} 0fa00035000a4d57 a8a9"),
        ],
    );
}

#[test]
fn the_checksum_of_a_single_packet_is_completed() {
    let whole = framed(
        [1, 0],
        [0, 34, 16],
        "0800 4500003effff4000400626b80a0000010a000002 9c400050fffffffe11223344809901f4143300000101080a0000000700000009 a0a1a2a3a4a5a6a7a8a9",
    );
    is_cut_into(
        &whole,
        &[
            "0800 4500003effff4000400626b80a0000010a000002 9c400050fffffffe11223344809901f447f200000101080a0000000700000009 a0a1a2a3a4a5a6a7a8a9",
        ],
    );
    // A sum of zero would say that there is none.
    let whole = framed(
        [1, 0],
        [0, 34, 6],
        "0800 4500001e00014000401126cc0a0000010a000002 0fa00035000a141e dc02",
    );
    is_cut_into(
        &whole,
        &["0800 4500001e00014000401126cc0a0000010a000002 0fa00035000affff dc02"],
    );
}

#[test]
fn what_is_complete_stays_as_it_is() {
    let frame = "0800 4500001e00014000401126cc0a0000010a000002 0fa00035000a1234 dc02";
    is_cut_into(&framed([0, 0], [0, 0, 0], frame), &[frame]);
    // The receiver of this one is told not to look at the checksum; it is right nevertheless.
    is_cut_into(&framed([2, 0], [0, 0, 0], frame), &[frame]);
}

#[test]
fn nonsense_is_neither_cut_nor_a_panic() {
    let tcp = "0800 4500003effff4000400626b80a0000010a000002 9c400050fffffffe11223344809901f4143300000101080a0000000700000009 a0a1";
    let mut seed = 1;
    for _ in 0..20_000 {
        let mut random = || crate::random::splitmix(&mut seed) as u16;
        let kind = [
            random() as u8 & 3,
            [0, 1, 3, 4, 5, 0x81][usize::from(random() % 6)],
        ];
        let small = |number: u16| if number & 1 == 0 { number >> 9 } else { number };
        let mut whole = framed(kind, [random(), random(), random()].map(small), tcp);
        let spoiled = usize::from(random()) % whole.len();
        whole[spoiled] = random() as u8;
        whole.truncate(usize::from(random()) % (whole.len() + 1));
        let Some(segments) = Segments::of(&whole) else {
            assert!(whole.len() < 10);
            continue;
        };
        let mut written = Vec::new();
        let mut length = 0;
        for index in 0..segments.count() {
            segments.write(index, &mut written);
            length += written.len() as u64 - 10;
        }
        assert_eq!(segments.traffic().bytes, length);
    }
}
