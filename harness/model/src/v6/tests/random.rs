//! Random packets, there and back, and packets that are cut off or changed at random.

use super::*;
use crate::packet::transport::{Tcp, TcpFlags};
use crate::random::{below, splitmix};

/// Returns a random host of IPv6, a server, a transport header and a payload.
fn drawn(state: &mut u64) -> (Ipv6Addr, Ipv4Addr, Transport, Vec<u8>) {
    let host = Ipv6Addr::from_bits(
        0x2001_0db8 << 96 | u128::from(splitmix(state)) << 24 | u128::from(splitmix(state) >> 40),
    );
    let server = Ipv4Addr::from_bits(0x0500_0000 | splitmix(state) as u32 >> 8);
    let length = below(state, 1200) as usize;
    let payload = (0..length).map(|_| splitmix(state) as u8).collect();
    let ports = splitmix(state).to_be_bytes();
    let [a, b, c, d, ..] = ports;
    let (source, destination) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let transport = match below(state, 2) {
        0 => udp(source, destination),
        _ => Transport::Tcp(Tcp {
            source,
            destination,
            seq: splitmix(state) as u32,
            ack: splitmix(state) as u32,
            window: splitmix(state) as u16,
            flags: TcpFlags(splitmix(state) as u8),
        }),
    };
    (host, server, transport, payload)
}

#[test]
fn random_packets_come_back_as_they_went() {
    let mut state = 2026;
    let prefixes = [
        "64:ff9b::/96",
        "2001:db8:64::/56",
        "2001:db8::/32",
        "2001:db8:5:6::/64",
    ];
    for number in 0..4000 {
        let prefix: EmbeddingPrefix = prefixes[number % prefixes.len()].parse().unwrap();
        let (host, server, transport, payload) = drawn(&mut state);
        if prefix.subnet().contains(host.into()) {
            continue; // a host is not behind the prefix
        }
        let pool = Nat64Spec::new().parsed_pool().unwrap();
        let mut nat64 = FamilyTranslator::nat64(prefix, pool, [MAC_A, MAC_B]);
        let sent = made(
            host.into(),
            prefix.embed(server).into(),
            transport,
            &payload,
        );
        let there = one(&mut nat64, &sent);
        checked(&there);
        assert_eq!(ends(&there), [IpAddr::from(STANDS_FOR_HOST), server.into()]);
        // The same packet, as if the server had sent it: to make the answer, the ends change
        // places, which no checksum notices.
        let mut answer = there;
        answer[FRONT + 12..FRONT + 20].rotate_left(4);
        let back = one(&mut nat64, &answer);
        checked(&back);
        let mut expected = sent;
        expected[FRONT + 8..FRONT + 40].rotate_left(16);
        assert_eq!(back[FRONT..], expected[FRONT..]);
    }
}

#[test]
fn packets_that_are_cut_off_or_changed_are_no_panic() {
    let mut state = 64;
    for _ in 0..3000 {
        let (host, server, transport, payload) = drawn(&mut state);
        let mut nat64 = nat64();
        let sent = made(
            host.into(),
            well_known().embed(server).into(),
            transport,
            &payload,
        );
        let there = one(&mut nat64, &sent);
        let error = Transport::Icmp { kind: 3, code: 4 };
        let error = made(
            server.into(),
            STANDS_FOR_HOST.into(),
            error,
            &there[FRONT..],
        );
        for frame in [sent, there, error] {
            let mut frame = frame;
            for _ in 0..below(&mut state, 6) {
                let at = below(&mut state, frame.len().min(FRONT + 100) as u64) as usize;
                frame[at] = splitmix(&mut state) as u8;
            }
            let length = match below(&mut state, 2) {
                0 => frame.len(),
                _ => below(&mut state, frame.len() as u64) as usize,
            };
            nat64.translate(&frame[..length], 0);
            let mut clat = FamilyTranslator::clat(well_known(), [MAC_A, MAC_B]);
            clat.translate(&frame[..length], 0);
        }
    }
}
