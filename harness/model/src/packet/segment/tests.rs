//! Super-frames and their segments, byte by byte. The expected bytes were computed by a program
//! that shares no code with ours.

use super::testing::{DATAGRAMS_V4, ETHERNET, bytes, framed, laid_out};
use super::{Segments, bundle, how_many_together};
use crate::impair::counters::Traffic;
use crate::packet::checksum::Sum;

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
    // CWR belongs to the first, FIN and PSH to the last. The id and the sequence number wrap
    // around.
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

/// Returns how many of these frames go as one.
fn bundled_of(frames: &[Vec<u8>]) -> usize {
    how_many_together(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[test]
fn datagrams_that_follow_each_other_are_bundled_and_cut_again() {
    let v6 = [
        format!("86dd 60000000000c1140{FROM_TO_V6} 0fa00035000cfa21 a0a1a2a3"),
        format!("86dd 60000000000c1140{FROM_TO_V6} 0fa00035000cfa21 a4a5a6a7"),
        format!("86dd 60000000000a1140{FROM_TO_V6} 0fa00035000afa1f a8a9"),
    ];
    for (frames, start, expected) in [
        (
            DATAGRAMS_V4,
            34,
            "0800 4500002610004000401116c50a0000010a000002 0fa0003500121426 a0a1a2a3a4a5a6a7a8a9",
        ),
        (
            v6.each_ref().map(String::as_str),
            54,
            &format!("86dd 6000000000121140{FROM_TO_V6} 0fa000350012fa27 a0a1a2a3a4a5a6a7a8a9"),
        ),
    ] {
        let frames = laid_out(&frames);
        let slices: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        assert_eq!(how_many_together(&slices), 3);
        let mut whole = vec![0xee];
        bundle(&slices, &mut whole);
        let mut wanted = framed([1, 5], [4, start, 6], expected);
        wanted[2..4].copy_from_slice(&(start + 8).to_ne_bytes());
        assert_eq!(whole[1..], wanted);

        let cut = Segments::of(&whole[1..]).expect("a whole header");
        let (mut segment, mut alone) = (Vec::new(), Vec::new());
        for (index, frame) in frames.iter().enumerate() {
            cut.write(index, &mut segment);
            let single = Segments::of(frame).expect("a whole header");
            single.write(0, &mut alone);
            assert_eq!(segment, alone, "segment {index}");
        }
    }
}

/// Gives an IPv4 datagram the checksum and the sum that belong to its headers.
fn put_right(whole: &mut [u8]) {
    let ip = &mut whole[10 + 14..];
    ip[10..12].fill(0);
    let checksum = Sum::default().add(&ip[..20]).checksum();
    ip[10..12].copy_from_slice(&checksum);
    let length = [ip[24], ip[25]];
    let pseudo = Sum::default().add(&ip[12..20]).add(&length).add(&[0, 17]);
    ip[26..28].copy_from_slice(&pseudo.checksum().map(|byte| !byte));
}

#[test]
fn what_a_segment_could_not_be_is_not_bundled() {
    let [first, second, short] = DATAGRAMS_V4;
    assert_eq!(how_many_together(&[]), 0);
    assert_eq!(bundled_of(&laid_out(&[first])), 1);
    let mut frames = laid_out(&[first, &short.replace("1002", "1001"), short]);
    put_right(&mut frames[1]);
    assert_eq!(bundled_of(&frames), 2, "a short one is the last");
    assert_eq!(bundled_of(&laid_out(&[short, second])), 1, "longer");
    assert_eq!(
        bundled_of(&laid_out(&[first, first])),
        2,
        "the same id, never fragmented"
    );
    // The bytes that differ: the type of service, the id, a fragment, the time to live, the
    // addresses and the ports.
    for (at, mask) in [
        (15, 0x01),
        (19, 0x04),
        (20, 0x20),
        (22, 0x01),
        (26, 0x01),
        (33, 0x01),
        (35, 0x01),
        (37, 0x01),
    ] {
        let mut frames = laid_out(&[first, second]);
        frames[1][10 + at] ^= mask;
        put_right(&mut frames[1]);
        assert_eq!(bundled_of(&frames), 1, "byte {at}");
    }
    let mut frames = laid_out(&[first, second]);
    frames[1][0] = 0;
    assert_eq!(bundled_of(&frames), 1, "a checksum that may be wrong");
    for (at, what) in [
        (24, "the header's checksum"),
        (40, "the pseudo-header's sum"),
    ] {
        let mut frames = laid_out(&[first, second]);
        frames[1][10 + at] ^= 1;
        assert_eq!(bundled_of(&frames), 1, "{what} is wrong, and must stay so");
    }
    // Without "don't fragment" the id is looked at by whoever puts fragments together.
    let mut frames = laid_out(&[first, first]);
    for frame in &mut frames {
        frame[10 + 20] = 0;
        put_right(frame);
    }
    assert_eq!(bundled_of(&frames), 1, "the same id");
    let tcp = "0800 4500002a10004000400616cb0a0000010a000002 9c400050fffffffe11223344501901f414330000 a0a1";
    let tcp = framed([1, 0], [0, 34, 16], tcp);
    assert_eq!(bundled_of(&[tcp.clone(), tcp]), 1, "TCP");
}

#[test]
fn a_bundle_of_nonsense_is_no_panic() {
    let mut seed = 2;
    let mut together = 0;
    for _ in 0..20_000 {
        let mut random = || crate::random::splitmix(&mut seed) as usize;
        let mut frames = laid_out(&DATAGRAMS_V4);
        for frame in &mut frames {
            if random() % 4 == 0 {
                let spoiled = random() % frame.len();
                frame[spoiled] = random() as u8;
            }
            if random() % 16 == 0 {
                frame.truncate(random() % (frame.len() + 1));
            }
        }
        let slices: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let count = how_many_together(&slices);
        let mut whole = Vec::new();
        if count > 1 {
            bundle(&slices[..count], &mut whole);
            let cut = Segments::of(&whole).expect("a whole header");
            assert_eq!(cut.count(), count);
            together += 1;
        }
    }
    assert!(together > 1000, "{together}");
}
