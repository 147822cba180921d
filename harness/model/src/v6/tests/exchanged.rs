//! Prefixes that are exchanged for others.

use super::*;
use crate::nat::{NatDrop, NatOutcome};
use crate::random::splitmix;
use crate::v6::PrefixPair;

fn pair(inside: &str, outside: &str) -> PrefixPair {
    PrefixTranslation::new(inside, outside).parsed().unwrap()
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

#[test]
fn the_example_of_the_standard_comes_out() {
    // RFC 6296, section 3.1 and appendix: the adjustment is d550 less the number of the subnet.
    let pair = pair("fd01:203:405::/48", "2001:db8:1::/48");
    let (inside, outside) = (v6("fd01:203:405:1::1234"), v6("2001:db8:1:d550::1234"));
    assert_eq!(pair.to_outside(inside), Some(outside));
    assert_eq!(pair.to_inside(outside), Some(inside));
}

#[test]
fn all_ones_are_not_translated() {
    let pair48 = pair("fd01:203:405::/48", "2001:db8:1::/48");
    assert_eq!(pair48.to_outside(v6("fd01:203:405:ffff::1")), None);
    // A longer prefix leaves the first word that is not all ones (section 3.5).
    let pair64 = pair("fd01:203:405:1::/64", "2001:db8:1:2::/64");
    let inside = v6("fd01:203:405:1:ffff:ffff:5:6");
    let outside = pair64.to_outside(inside).unwrap();
    assert_eq!(
        outside.segments()[..6],
        v6("2001:db8:1:2:ffff:ffff::").segments()[..6]
    );
    assert_eq!(outside.segments()[7], 6);
    assert_eq!(pair64.to_inside(outside), Some(inside));
}

#[test]
fn random_addresses_come_back_and_have_the_same_sum() {
    let mut state = 7;
    for length in 1..=64u8 {
        let mask = u128::MAX << (128 - u32::from(length));
        let mut number =
            || u128::from(splitmix(&mut state)) << 64 | u128::from(splitmix(&mut state));
        for _ in 0..50 {
            let (a, b, host) = (number() & mask, number() & mask, number() & !mask);
            let prefix = |bits| format!("{}/{length}", Ipv6Addr::from_bits(bits));
            // The exchange itself works for prefixes of groups as well.
            let [a_prefix, b_prefix] = [a, b].map(|it| prefix(it).parse().unwrap());
            let Ok(pair) = PrefixPair::new(a_prefix, b_prefix) else {
                assert_eq!(a, b, "only a prefix and itself are refused");
                continue;
            };
            let inside = Ipv6Addr::from_bits(a | host);
            let Some(outside) = pair.to_outside(inside) else {
                assert!(inside.segments().contains(&0xffff));
                continue;
            };
            assert!(pair.outside().contains(outside.into()));
            // The number 0 has two forms, of which all ones never comes out.
            assert_eq!(pair.to_inside(outside), Some(inside), "{pair:?}");
            let sum = |ip: Ipv6Addr| crate::packet::checksum::Sum::default().add(&ip.octets());
            assert_eq!(sum(inside).checksum(), sum(outside).checksum());
        }
    }
}

#[test]
fn packets_go_out_and_come_back_with_whole_checksums() {
    let mut npt = PrefixExchanger::new(pair("fd01:203:405::/48", "2001:db8:1::/48"));
    let remote = v6("2001:db8:77::7");
    let (inside, outside) = (v6("fd01:203:405:1::1234"), v6("2001:db8:1:d550::1234"));
    let mut whole = made(inside.into(), remote.into(), udp(1, 2), b"out");
    assert_eq!(
        npt.outbound(&mut whole[VNET_HEADER..]),
        Some(NatOutcome::Pass)
    );
    assert_eq!(ends(&whole), [IpAddr::from(outside), remote.into()]);
    checked(&whole);
    // An error about that packet, which quotes it.
    let quoted = [&[0; 4][..], &whole[FRONT..]].concat();
    let error = Transport::Icmp { kind: 1, code: 4 };
    let mut whole = made(remote.into(), outside.into(), error, &quoted[4..]);
    assert_eq!(
        npt.inbound(&mut whole[VNET_HEADER..]),
        Some(NatOutcome::Pass)
    );
    checked(&whole);
    assert_eq!(ends(&whole), [IpAddr::from(remote), inside.into()]);
    let quoted_source = &whole[FRONT + 40 + 8 + 8..][..16];
    assert_eq!(quoted_source, inside.octets());
    // An error from inside about a packet from outside.
    let came = made(remote.into(), inside.into(), udp(2, 1), b"in");
    let mut whole = made(inside.into(), remote.into(), error, &came[FRONT..]);
    assert_eq!(
        npt.outbound(&mut whole[VNET_HEADER..]),
        Some(NatOutcome::Pass)
    );
    checked(&whole);
    assert_eq!(&whole[FRONT + 40 + 8 + 24..][..16], outside.octets());
    assert_eq!(npt.translated(), [2, 1]);
}

#[test]
fn a_packet_to_an_address_outside_comes_back_inside() {
    let mut npt = PrefixExchanger::new(pair("fd01:203:405::/48", "2001:db8:1::/48"));
    let (a, b) = (v6("fd01:203:405:1::1"), v6("fd01:203:405:2::2"));
    let [a_out, b_out] = [a, b].map(|it| npt.pair().to_outside(it).unwrap());
    let mut whole = made(a.into(), b_out.into(), udp(1, 2), b"hairpin");
    assert_eq!(
        npt.outbound(&mut whole[VNET_HEADER..]),
        Some(NatOutcome::Hairpin)
    );
    assert_eq!(ends(&whole), [IpAddr::from(a_out), b.into()]);
    assert_eq!(whole[VNET_HEADER..][..12], [MAC_A, MAC_B].concat()[..]);
    checked(&whole);
    let mut nobody = made(v6("fd01:203:405:ffff::1").into(), a.into(), udp(1, 2), b"");
    let dropped = Some(NatOutcome::Drop(NatDrop::NoMapping));
    assert_eq!(npt.outbound(&mut nobody[VNET_HEADER..]), dropped);
    let mut v4 = made(SERVER.into(), SERVER.into(), udp(1, 2), b"");
    assert_eq!(npt.outbound(&mut v4[VNET_HEADER..]), None);
}
