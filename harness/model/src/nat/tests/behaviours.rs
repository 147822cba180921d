//! Mapping, filtering, hairpinning, timeouts of UDP.

use super::*;
use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};

#[test]
fn each_of_the_nine_behaviours_is_what_it_is_called() {
    for mapping in Dependence::ALL {
        for filtering in Dependence::ALL {
            for ports in [PortAssignment::Preserving, PortAssignment::Random] {
                let spec = NatSpec {
                    ports,
                    ..NatSpec::new(mapping, filtering)
                };
                let mut world = World::new(spec);
                let inside = at(INSIDE, 5000);
                let first = world.udp(inside, at(REMOTE, 1));
                // Filtering is found out with one remote address and port only (RFC 5780, 4.4).
                let lets_in = [at(REMOTE, 1), at(REMOTE, 2), at(REMOTE_2, 1)]
                    .map(|remote| world.udp_back(remote, first) == Some(inside));
                let expected = match filtering {
                    EndpointIndependent => [true, true, true],
                    AddressDependent => [true, true, false],
                    AddressAndPortDependent => [true, false, false],
                };
                assert_eq!(lets_in, expected, "{mapping:?}, {filtering:?}");
                let same = [at(REMOTE, 2), at(REMOTE_2, 1)]
                    .map(|remote| world.udp(inside, remote) == first);
                let expected = match mapping {
                    EndpointIndependent => [true, true],
                    AddressDependent => [true, false],
                    AddressAndPortDependent => [false, false],
                };
                assert_eq!(same, expected, "{mapping:?}, {filtering:?}");
            }
        }
    }
}

#[test]
fn a_shared_port_tells_remote_hosts_apart() {
    let mut world = World::new(preset::symmetric_port_preserving());
    let (one, two) = (at(INSIDE, 5000), at(INSIDE_2, 5000));
    assert_eq!(world.udp(one, at(REMOTE, 1)), at(PUBLIC, 5000));
    assert_eq!(world.udp(one, at(REMOTE_2, 1)), at(PUBLIC, 5000));
    // The same port for another host inside, as the remote host is another one.
    assert_eq!(world.udp(two, at(REMOTE, 2)), at(PUBLIC, 5000));
    assert_eq!(world.udp_back(at(REMOTE, 1), at(PUBLIC, 5000)), Some(one));
    assert_eq!(world.udp_back(at(REMOTE, 2), at(PUBLIC, 5000)), Some(two));
    assert_eq!(world.udp_back(at(REMOTE_2, 2), at(PUBLIC, 5000)), None);
    // Here it is not.
    let other = world.udp(two, at(REMOTE, 1));
    assert_ne!(other, at(PUBLIC, 5000));
    assert_eq!(world.udp_back(at(REMOTE, 1), other), Some(two));
    // One of those who share a port goes, and the others keep it.
    world.wait(100);
    world.udp(one, at(REMOTE, 1));
    world.wait(100);
    assert_eq!(world.udp_back(at(REMOTE, 2), at(PUBLIC, 5000)), None);
    assert_eq!(world.udp_back(at(REMOTE, 1), at(PUBLIC, 5000)), Some(one));
}

#[test]
fn hairpinning_is_as_asked() {
    let (one, two) = (at(INSIDE, 5000), at(INSIDE_2, 6000));
    for hairpinning in [
        Hairpinning::ExternalSource,
        Hairpinning::InternalSource,
        Hairpinning::ToRouter,
        Hairpinning::Off,
    ] {
        let mut world = World::new(NatSpec {
            hairpinning,
            ..NatSpec::default()
        });
        let outside_1 = world.udp(one, at(REMOTE, 1));
        let outside_2 = world.udp(two, at(REMOTE, 1));
        let passed = world.outbound(one, outside_2, UDP);
        let expected = match hairpinning {
            Hairpinning::ExternalSource => Ok([outside_1, two]),
            Hairpinning::InternalSource => Ok([one, two]),
            Hairpinning::ToRouter | Hairpinning::Off => dropped(NatDrop::Hairpin),
        };
        assert_eq!(passed, expected);
    }
}

#[test]
fn a_hairpinned_packet_meets_the_filter() {
    let mut world = World::new(preset::port_restricted_cone());
    let (one, two) = (at(INSIDE, 5000), at(INSIDE_2, 6000));
    let outside_1 = world.udp(one, at(REMOTE, 1));
    let outside_2 = world.udp(two, at(REMOTE, 1));
    assert_eq!(
        world.outbound(one, outside_2, UDP),
        dropped(NatDrop::Filtered)
    );
    // The first packet has opened the way back.
    assert_eq!(world.outbound(two, outside_1, UDP), Ok([outside_2, one]));
    assert_eq!(world.outbound(one, outside_2, UDP), Ok([outside_1, two]));
    assert_eq!(world.nat.counters().hairpinned, 2);
}

#[test]
fn a_mapping_expires_after_its_time_and_not_before() {
    for inbound_refresh in [true, false] {
        let mut world = World::new(NatSpec {
            inbound_refresh,
            ..preset::restricted_cone()
        });
        let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 1));
        let outside = world.udp(inside, remote);
        world.wait(299);
        assert_eq!(world.udp_back(remote, outside), Some(inside));
        world.wait(299);
        let refreshed = world.udp_back(remote, outside).is_some();
        assert_eq!(refreshed, inbound_refresh);
        world.udp(inside, remote);
        world.wait(301);
        assert_eq!(
            world.inbound(remote, outside, UDP),
            dropped(NatDrop::NoMapping)
        );
        assert!(world.nat.mappings(world.now).is_empty());
        assert_eq!(world.nat.count(), 0);
    }
}

#[test]
fn a_forwarded_port_lets_everyone_in_and_answers_by_itself() {
    let server = at(INSIDE, 80);
    for (name, preset) in preset::ALL {
        let spec = preset().forward(NatProtocol::Tcp, 8080, server);
        let mut world = World::new(spec);
        let (remote, outside) = (at(REMOTE, 4000), at(PUBLIC, 8080));
        assert_eq!(
            world.tcp_back(remote, outside, TcpFlags::SYN),
            Ok([remote, server]),
            "{name}"
        );
        let answer = world.tcp(server, remote, TcpFlags::SYN.union(TcpFlags::ACK));
        assert_eq!(answer, Ok([outside, remote]), "{name}");
        world.wait(1_000_000);
        assert_eq!(
            world.tcp_back(remote, outside, TcpFlags::SYN),
            Ok([remote, server]),
            "{name}"
        );
    }
}

#[test]
fn the_router_itself_keeps_its_ports() {
    let mut world = World::new(preset::symmetric());
    let own = at(PUBLIC, 5353);
    assert_eq!(world.udp(own, at(REMOTE, 53)), own);
    let answer = world.inbound(at(REMOTE, 53), own, UDP);
    assert_eq!(answer, Ok([at(REMOTE, 53), own]));
}

#[test]
fn what_is_no_ipv4_and_what_is_for_groups_passes_as_it_is() {
    let mut world = World::new(NatSpec::default());
    let frames = [
        crate::packet::testing::arp(),
        crate::packet::testing::udp_from(1, b"x"),
        made(
            [at(Ipv4Addr::UNSPECIFIED, 68), at(Ipv4Addr::BROADCAST, 67)],
            UDP,
        ),
        made([at(INSIDE, 1), at(Ipv4Addr::new(224, 0, 0, 5), 2)], UDP),
        vec![1, 2, 3],
    ];
    for frame in frames {
        for through in [Nat::outbound, Nat::inbound] {
            let mut after = frame.clone();
            let outcome = through(&mut world.nat, &mut after, Checksums::Complete, world.now);
            assert_eq!((outcome, &after), (NatOutcome::Pass, &frame));
        }
    }
    // What is for another address is not the NAT's business.
    let elsewhere = world.inbound(at(REMOTE, 1), at(INSIDE, 2), UDP);
    assert_eq!(elsewhere, Ok([at(REMOTE, 1), at(INSIDE, 2)]));
}

#[test]
fn unsolicited_packets_meet_what_was_asked() {
    let unsolicited = |unsolicited| {
        World::new(NatSpec {
            unsolicited,
            ..NatSpec::default()
        })
    };
    let (from, to) = (at(REMOTE, 1), at(PUBLIC, 2000));
    let mut world = unsolicited(Unsolicited::Drop);
    assert_eq!(world.inbound(from, to, UDP), dropped(NatDrop::NoMapping));
    assert_eq!(world.nat.counters().dropped(NatDrop::NoMapping), 1);
    let mut world = unsolicited(Unsolicited::ToRouter);
    assert_eq!(world.inbound(from, to, UDP), Ok([from, to]));
    let mut world = unsolicited(Unsolicited::Reject);
    let Err(NatOutcome::Answer { frame, .. }) = world.inbound(from, to, UDP) else {
        panic!("no answer");
    };
    let headers = Headers::of(&frame);
    assert_eq!(headers.transport, Transport::Icmp { kind: 3, code: 3 });
    assert_eq!(headers.ips, Some([PUBLIC.into(), REMOTE.into()]));
    assert_eq!(headers.macs, Some([MAC_B, MAC_A]));
    let Err(NatOutcome::Answer { frame, .. }) = world.tcp_back(from, to, TcpFlags::SYN) else {
        panic!("no answer");
    };
    let headers = Headers::of(&frame);
    let reset = headers.tcp().expect("a segment");
    assert_eq!((reset.source, reset.destination, reset.ack), (2000, 1, 85));
    assert!(reset.flags.contains(TcpFlags::RST));
    assert_eq!(
        world.tcp_back(from, to, TcpFlags::RST),
        dropped(NatDrop::NoMapping)
    );
}

#[test]
fn later_fragments_follow_the_first_one() {
    let mut world = World::new(preset::symmetric());
    let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 1));
    let fragment = |[from, to]: [SocketAddrV4; 2], id: u16, word: u16| {
        let mut frame = made([from, to], UDP);
        let mut header: Vec<u8> = frame[14..34].to_vec();
        header[4..6].copy_from_slice(&id.to_be_bytes());
        header[6..8].copy_from_slice(&word.to_be_bytes());
        header[10..12].fill(0);
        let sum = crate::packet::checksum::Sum::default()
            .add(&header)
            .checksum();
        header[10..12].copy_from_slice(&sum);
        frame[14..34].copy_from_slice(&header);
        frame
    };
    const MORE: u16 = 0x2000;
    let mut early = fragment([inside, remote], 7, 2);
    let outcome = world
        .nat
        .outbound(&mut early, Checksums::Complete, world.now);
    assert_eq!(outcome, NatOutcome::Drop(NatDrop::Fragment));
    let mut first = fragment([inside, remote], 7, MORE);
    let outcome = world
        .nat
        .outbound(&mut first, Checksums::Complete, world.now);
    assert_eq!(outcome, NatOutcome::Pass);
    // `Headers` reads no ports of a fragment.
    let port = u16::from_be_bytes([first[34], first[35]]);
    let outside = at(PUBLIC, port);
    assert_eq!(first, fragment([outside, remote], 7, MORE));
    // Behind the IP header of a later fragment is payload, which stays as it is.
    let before = fragment([inside, remote], 7, 2);
    let mut later = before.clone();
    let outcome = world
        .nat
        .outbound(&mut later, Checksums::Complete, world.now);
    assert_eq!(outcome, NatOutcome::Pass);
    assert_eq!(later[34..], before[34..]);
    assert_eq!(later[..34], fragment([outside, remote], 7, 2)[..34]);
}

#[test]
fn a_partial_checksum_stays_one() {
    use crate::packet::checksum::Sum;
    use crate::packet::ip::{IpVersion, TCP};
    let partial = |ends: [SocketAddrV4; 2]| {
        let mut frame = made(ends, segment(TcpFlags::SYN));
        let length = frame.len() - 34;
        let sum = Sum::pseudo_header(IpVersion::V4, &frame[14..34], TCP, length);
        let sum = sum.checksum().map(|byte| !byte);
        frame[50..52].copy_from_slice(&sum);
        frame
    };
    let mut world = World::new(preset::symmetric());
    let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 1));
    let mut frame = partial([inside, remote]);
    let outcome = world
        .nat
        .outbound(&mut frame, Checksums::Partial, world.now);
    assert_eq!(outcome, NatOutcome::Pass);
    let [outside, _] = ends(&frame);
    assert_eq!(frame, partial([outside, remote]));
}

#[test]
fn an_exposed_host_gets_what_nobody_asked_for_at_its_own_ports() {
    let mut world = World::new(NatSpec::one_to_one(INSIDE));
    for port in [1, 80, 40_000] {
        let (inside, outside) = (at(INSIDE, port), at(PUBLIC, port));
        assert_eq!(world.udp_back(at(REMOTE, 9), outside), Some(inside));
        assert_eq!(world.udp(inside, at(REMOTE, 9)), outside);
        let [_, to] = world
            .tcp_back(at(REMOTE_2, 9), outside, TcpFlags::SYN)
            .expect("let in");
        assert_eq!(to, inside);
    }
    // It keeps its ports when it speaks first, and others have what is left.
    assert_eq!(world.udp(at(INSIDE, 53), at(REMOTE, 9)), at(PUBLIC, 53));
    let other = world.udp(at(INSIDE_2, 53), at(REMOTE, 9));
    assert_ne!(other.port(), 53);
    assert_eq!(
        world.udp_back(at(REMOTE_2, 1), other),
        Some(at(INSIDE_2, 53))
    );
    // Who is inside reaches it there, too.
    let [from, to] = world
        .outbound(at(INSIDE_2, 7), at(PUBLIC, 4000), UDP)
        .expect("a hairpin");
    assert_eq!((*from.ip(), to), (PUBLIC, at(INSIDE, 4000)));
    // A segment in the middle of a connection that nobody knows makes no mapping.
    let stray = world.tcp_back(at(REMOTE, 9), at(PUBLIC, 22), TcpFlags::ACK);
    assert_eq!(stray, Err(NatOutcome::Drop(NatDrop::NoMapping)));
}

#[test]
fn an_exposure_ends_with_its_host_its_time_and_the_mappings() {
    let (stranger, outside) = (at(REMOTE, 9), at(PUBLIC, 80));
    let exposed = || {
        let mut world = World::new(NatSpec::one_to_one(INSIDE));
        let inside = Some(at(INSIDE, 80));
        assert_eq!(world.udp_back(stranger, outside), inside);
        assert_eq!(world.nat.mappings(world.now).len(), 1);
        world
    };
    // Another host, and no host.
    let mut world = exposed();
    world.nat.change(NatSpec::one_to_one(INSIDE_2));
    assert_eq!(world.udp_back(stranger, outside), Some(at(INSIDE_2, 80)));
    let nobody = NatSpec {
        unsolicited: Unsolicited::Drop,
        ..NatSpec::one_to_one(INSIDE)
    };
    world.nat.change(nobody);
    assert_eq!(world.udp_back(stranger, outside), None);
    // The mappings are flushed.
    let mut world = exposed();
    world.nat.flush();
    assert_eq!(world.nat.mappings(world.now).len(), 0);
    // The host inside has not answered.
    let mut world = exposed();
    world.now += NatSpec::one_to_one(INSIDE).timeouts.udp.as_nanos() as u64 + 1;
    world.nat.expire(world.now);
    assert_eq!(world.nat.mappings(world.now).len(), 0);
    // Another external address.
    let other = Ipv4Addr::new(203, 0, 113, 77);
    let mut world = exposed();
    world.nat.rebind_addresses(&[other]);
    assert_eq!(world.nat.mappings(world.now).len(), 0);
    let again = world.udp_back(stranger, at(other, 80));
    assert_eq!(again, Some(at(INSIDE, 80)));
}

#[test]
fn an_offer_of_a_dhcp_server_is_for_the_router_whoever_is_exposed() {
    let mut world = World::new(NatSpec::one_to_one(INSIDE));
    let (server, client) = (at(REMOTE, 67), at(PUBLIC, 68));
    assert_eq!(world.inbound(server, client, UDP), Ok([server, client]));
    assert_eq!(world.nat.mappings(world.now).len(), 0);
}
