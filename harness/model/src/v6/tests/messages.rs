//! Messages of ICMP.

use super::*;
use crate::packet::checksum::Sum;

/// Returns a message of ICMP whose second word is `word`.
fn message(from: IpAddr, to: IpAddr, [kind, code]: [u8; 2], word: u32, rest: &[u8]) -> Vec<u8> {
    let mut whole = made(from, to, Transport::Icmp { kind, code }, rest);
    let at = match from {
        IpAddr::V4(_) => FRONT + 20,
        IpAddr::V6(_) => FRONT + 40,
    };
    whole[at + 4..at + 8].copy_from_slice(&word.to_be_bytes());
    whole[at + 2..at + 4].fill(0);
    let sum = match (from, to) {
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let length = whole.len() - at;
            let pseudo = header::v6_pseudo_header([from, to], 58, length);
            Sum::default().add(&pseudo)
        }
        _ => Sum::default(),
    };
    let checksum = sum.add(&whole[at..]).checksum();
    whole[at + 2..at + 4].copy_from_slice(&checksum);
    checked(&whole);
    whole
}

#[test]
fn echoes_go_and_come() {
    let mut nat64 = nat64();
    let ping = message(
        HOST.into(),
        server_v6().into(),
        [128, 0],
        0x1234_0001,
        b"ping",
    );
    let there = one(&mut nat64, &ping);
    checked(&there);
    assert_eq!(there[FRONT + 20..FRONT + 22], [8, 0]);
    assert_eq!(
        there[FRONT + 24..],
        ping[FRONT + 44..],
        "identifier and data"
    );
    let pong = message(
        SERVER.into(),
        STANDS_FOR_HOST.into(),
        [0, 0],
        0x1234_0001,
        b"ping",
    );
    let back = one(&mut nat64, &pong);
    let expected = message(
        server_v6().into(),
        HOST.into(),
        [129, 0],
        0x1234_0001,
        b"ping",
    );
    assert_eq!(back, expected);
}

#[test]
fn errors_of_ipv4_reach_the_host_with_the_packet_that_it_has_sent() {
    let router = Ipv4Addr::new(10, 1, 1, 1);
    for (kind, word, expected, expected_word) in [
        ([3, 1], 0, [1, 0], 0),
        ([3, 3], 0, [1, 4], 0),
        ([3, 13], 0, [1, 1], 0),
        ([3, 2], 0, [4, 1], 6),
        ([3, 4], 1400, [2, 0], 1420),
        ([3, 4], 576, [2, 0], 1280),
        // Told by an old router, of a packet of 42 bytes.
        ([3, 4], 0, [2, 0], 1280),
        ([11, 0], 0, [3, 0], 0),
        ([12, 0], 8 << 24, [4, 0], 7),
    ] {
        let mut nat64 = nat64();
        let sent = made(HOST.into(), server_v6().into(), udp(5, 6), b"how far");
        let there = one(&mut nat64, &sent);
        let error = message(
            router.into(),
            STANDS_FOR_HOST.into(),
            kind,
            word,
            &there[FRONT..],
        );
        let back = one(&mut nat64, &error);
        checked(&back);
        let from = well_known().embed(router);
        assert_eq!(ends(&back), [IpAddr::from(from), HOST.into()], "{kind:?}");
        assert_eq!(back[FRONT + 40..FRONT + 42], expected, "{kind:?}");
        assert_eq!(
            back[FRONT + 44..FRONT + 48],
            u32::to_be_bytes(expected_word),
            "{kind:?}"
        );
        // The quoted packet is the one that was sent, from its first byte to its last.
        assert_eq!(back[FRONT + 48..], sent[FRONT..], "{kind:?}");
    }
}

#[test]
fn errors_of_ipv6_reach_the_server_with_the_packet_that_it_has_sent() {
    let router = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 1);
    for (kind, word, expected, expected_word) in [
        ([1, 0], 0, [3, 1], 0u32),
        ([1, 1], 0, [3, 10], 0),
        ([1, 4], 0, [3, 3], 0),
        ([2, 0], 1400, [3, 4], 1380),
        ([3, 0], 0, [11, 0], 0),
        ([4, 1], 6, [3, 2], 0u32),
        ([4, 0], 7, [12, 0], 8u32 << 24),
    ] {
        let mut nat64 = acquainted();
        let sent = made(SERVER.into(), STANDS_FOR_HOST.into(), udp(6, 5), b"how far");
        let there = one(&mut nat64, &sent);
        let error = message(
            router.into(),
            server_v6().into(),
            kind,
            word,
            &there[FRONT..],
        );
        let back = one(&mut nat64, &error);
        checked(&back);
        assert_eq!(ends(&back)[1], IpAddr::from(SERVER));
        assert_eq!(back[FRONT + 20..FRONT + 22], expected, "{kind:?}");
        assert_eq!(
            back[FRONT + 24..FRONT + 28],
            u32::to_be_bytes(expected_word),
            "{kind:?}"
        );
        // Identification and flags are of no meaning to a sender.
        let quoted = &back[FRONT + 28..];
        assert_eq!(quoted[12..], sent[FRONT + 12..], "{kind:?}");
    }
}

#[test]
fn a_router_of_ipv6_alone_is_heard_by_a_client_of_464xlat() {
    let mut clat = FamilyTranslator::clat(well_known(), [MAC_A, MAC_B]);
    let sent = made(
        ClatSpec::ADDRESS.into(),
        SERVER.into(),
        udp(1, 2),
        &[0; 1200],
    );
    let there = one(&mut clat, &sent);
    let local = ClatSpec::LOCAL.embed(ClatSpec::ADDRESS);
    let quoted = &there[FRONT..][..1232];
    let error = message(HOST.into(), local.into(), [2, 0], 1300, quoted);
    let back = one(&mut clat, &error);
    checked(&back);
    assert_eq!(
        ends(&back),
        [
            "192.0.0.8".parse().unwrap(),
            IpAddr::from(ClatSpec::ADDRESS)
        ]
    );
    assert_eq!(
        back[FRONT + 20..FRONT + 28],
        [3, 4, back[FRONT + 22], back[FRONT + 23], 0, 0, 5, 0]
    );
    assert_eq!(back.len() - FRONT, 576, "no longer than an error may be");
}

#[test]
fn what_leads_nowhere_is_refused_or_dropped() {
    let mut nat64 = nat64();
    let private = well_known().embed(Ipv4Addr::new(10, 0, 0, 1));
    let refused = one(
        &mut nat64,
        &made(HOST.into(), private.into(), udp(1, 2), b"?"),
    );
    checked(&refused);
    assert_eq!(ends(&refused), [IpAddr::from(private), HOST.into()]);
    assert_eq!(refused[FRONT + 40..FRONT + 42], [1, 1]);
    let stranger = Ipv4Addr::new(198, 18, 64, 9);
    let nobody = made(SERVER.into(), stranger.into(), udp(1, 2), b"?");
    assert!(nat64.translate(&nobody, 0).is_empty());
    let group = made(HOST.into(), "ff02::1".parse().unwrap(), udp(1, 2), b"?");
    assert!(nat64.translate(&group, 0).is_empty());
    let redirect = message(HOST.into(), server_v6().into(), [137, 0], 0, &[0; 40]);
    assert!(nat64.translate(&redirect, 0).is_empty());
    let why = |why| nat64.counters().dropped(why);
    assert_eq!(why(TranslationDrop::NotPublic), 1);
    assert_eq!(why(TranslationDrop::NoHost), 1);
    assert_eq!(why(TranslationDrop::Message), 1);
}
