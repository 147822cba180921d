//! TCP: states and their timeouts, full cones, segments that come too late.

use super::*;

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const SYN_ACK: TcpFlags = SYN.union(ACK);
const FIN: TcpFlags = TcpFlags::FIN.union(ACK);
const RST: TcpFlags = TcpFlags::RST;

/// Opens a connection, and returns its external address and port.
fn opened(world: &mut World, inside: SocketAddrV4, remote: SocketAddrV4) -> SocketAddrV4 {
    let [outside, _] = world.tcp(inside, remote, SYN).expect("a SYN");
    let back = world.tcp_back(remote, outside, SYN_ACK);
    assert_eq!(back, Ok([remote, inside]));
    world.tcp(inside, remote, ACK).expect("an ACK");
    outside
}

#[test]
fn a_connection_lives_for_two_hours_and_one_that_opens_or_closes_for_four_minutes() {
    let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 80));
    let alive_after = |prepare: &dyn Fn(&mut World, SocketAddrV4), seconds| {
        let mut world = World::new(NatSpec::default());
        let outside = opened(&mut world, inside, remote);
        prepare(&mut world, outside);
        world.wait(seconds);
        world.tcp_back(remote, outside, ACK).is_ok()
    };
    assert!(alive_after(&|_, _| {}, 7439));
    assert!(!alive_after(&|_, _| {}, 7441));
    let close = |world: &mut World, outside| {
        world.tcp(inside, remote, FIN).expect("a FIN");
        world.tcp_back(remote, outside, FIN).expect("a FIN");
    };
    assert!(alive_after(&close, 239));
    assert!(!alive_after(&close, 241));
    let half = |world: &mut World, _| {
        world.tcp(inside, remote, FIN).expect("a FIN");
    };
    assert!(alive_after(&half, 7439));
    let reset = |world: &mut World, _| {
        world.tcp(inside, remote, RST).expect("a RST");
    };
    assert!(!alive_after(&reset, 241));
    // A connection that nobody has answered.
    let mut world = World::new(NatSpec::default());
    let [outside, _] = world.tcp(inside, remote, SYN).expect("a SYN");
    world.wait(241);
    assert_eq!(
        world.tcp_back(remote, outside, SYN_ACK),
        dropped(NatDrop::NoMapping)
    );
}

#[test]
fn an_expired_flow_meets_what_was_asked() {
    let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 80));
    let late = |unknown_flow| {
        let mut world = World::new(NatSpec {
            unknown_flow,
            ..preset::port_restricted_cone()
        });
        opened(&mut world, inside, remote);
        world.wait(8000);
        let passed = world.tcp(inside, remote, ACK);
        (world, passed)
    };
    assert_eq!(late(UnknownFlow::Drop).1, dropped(NatDrop::UnknownFlow));
    let Err(NatOutcome::Answer { why, frame }) = late(UnknownFlow::Reset).1 else {
        panic!("no RST");
    };
    assert_eq!(why, Some(NatDrop::UnknownFlow));
    let headers = Headers::of(&frame);
    let tcp = headers.tcp().expect("a segment");
    assert!(tcp.flags.contains(RST));
    // The sender takes a RST by the sequence number that it has acknowledged (RFC 9293, 3.5.2).
    assert_eq!((tcp.source, tcp.destination, tcp.seq), (80, 5000, 88));
    assert_eq!(headers.ips, Some([REMOTE.into(), INSIDE.into()]));
    let (mut world, adopted) = late(UnknownFlow::Adopt);
    let [outside, _] = adopted.expect("adopted");
    assert!(world.tcp_back(remote, outside, ACK).is_ok());
    world.wait(7000);
    assert!(
        world.tcp_back(remote, outside, ACK).is_ok(),
        "it counts as established"
    );
}

#[test]
fn a_full_cone_of_tcp_lets_connections_in() {
    let (inside, remote, other) = (at(INSIDE, 5000), at(REMOTE, 80), at(REMOTE_2, 90));
    for (filtering, lets_in) in [
        (Dependence::EndpointIndependent, true),
        (Dependence::AddressAndPortDependent, false),
    ] {
        let mut world = World::new(NatSpec {
            tcp_filtering: Some(filtering),
            ..NatSpec::default()
        });
        let outside = opened(&mut world, inside, remote);
        let syn = world.tcp_back(other, outside, SYN);
        assert_eq!(syn.is_ok(), lets_in);
        // A segment of no connection is not let in, whatever the filter.
        assert!(world.tcp_back(at(REMOTE_2, 91), outside, ACK).is_err());
        if lets_in {
            assert_eq!(world.tcp(inside, other, SYN_ACK), Ok([outside, other]));
            world.tcp_back(other, outside, ACK).expect("an ACK");
            world.wait(7000);
            assert!(world.tcp_back(other, outside, ACK).is_ok());
        }
        assert!(world.udp(inside, remote).port() == 5000);
        assert!(
            world.udp_back(other, at(PUBLIC, 5000)).is_some(),
            "UDP is as it was"
        );
    }
}

#[test]
fn hosts_that_open_at_the_same_time_find_each_other() {
    for (_, preset) in preset::ALL {
        let mut world = World::new(preset());
        let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 80));
        let [outside, _] = world.tcp(inside, remote, SYN).expect("a SYN");
        assert_eq!(world.tcp_back(remote, outside, SYN), Ok([remote, inside]));
        assert_eq!(world.tcp(inside, remote, SYN_ACK), Ok([outside, remote]));
    }
}

#[test]
fn connections_of_one_mapping_expire_one_by_one() {
    let mut world = World::new(preset::port_restricted_cone());
    let inside = at(INSIDE, 5000);
    let one = opened(&mut world, inside, at(REMOTE, 80));
    let two = opened(&mut world, inside, at(REMOTE_2, 80));
    assert_eq!(one, two);
    world.tcp(inside, at(REMOTE, 80), RST).expect("a RST");
    world.wait(300);
    assert_eq!(
        world.tcp_back(at(REMOTE, 80), one, ACK),
        dropped(NatDrop::Filtered)
    );
    assert!(world.tcp_back(at(REMOTE_2, 80), two, ACK).is_ok());
    assert_eq!(world.nat.mappings(world.now)[0].peers, [at(REMOTE_2, 80)]);
}

#[test]
fn a_full_cone_of_tcp_answers_strangers_by_the_same_mapping_whatever_mappings_depend_on() {
    for mapping in Dependence::ALL {
        let mut world = World::new(NatSpec {
            tcp_filtering: Some(Dependence::EndpointIndependent),
            ..NatSpec::new(mapping, mapping)
        });
        let (inside, stranger) = (at(INSIDE, 5000), at(REMOTE_2, 9000));
        let outside = opened(&mut world, inside, at(REMOTE, 80));
        assert_eq!(
            world.tcp_back(stranger, outside, SYN),
            Ok([stranger, inside])
        );
        for flags in [SYN_ACK, ACK, FIN] {
            let passed = world.tcp(inside, stranger, flags);
            assert_eq!(passed, Ok([outside, stranger]), "{mapping:?}, {flags:?}");
            assert!(world.tcp_back(stranger, outside, ACK).is_ok());
        }
        // A connection that begins inside has the mapping that its remote host asks for.
        let other = at(REMOTE_2, 9001);
        let [own, _] = world.tcp(inside, other, SYN).expect("a SYN");
        assert_eq!(own == outside, mapping == Dependence::EndpointIndependent);
        // With the mapping, its connections are forgotten.
        world.nat.flush();
        let late = world.tcp(inside, stranger, ACK);
        assert_eq!(late, dropped(NatDrop::UnknownFlow), "{mapping:?}");
    }
}

/// A mapping for the stranger's address is not the one by which the stranger's SYN came.
#[test]
fn a_stranger_is_answered_by_the_mapping_that_it_came_by_though_its_host_has_another() {
    let mut world = World::new(NatSpec {
        tcp_filtering: Some(Dependence::EndpointIndependent),
        ..NatSpec::new(Dependence::AddressDependent, Dependence::AddressDependent)
    });
    let (inside, stranger) = (at(INSIDE, 5000), at(REMOTE_2, 9000));
    let outside = opened(&mut world, inside, at(REMOTE, 80));
    let other = opened(&mut world, inside, at(REMOTE_2, 80));
    assert_ne!(outside, other);
    assert_eq!(
        world.tcp_back(stranger, outside, SYN),
        Ok([stranger, inside])
    );
    for flags in [SYN_ACK, ACK, FIN] {
        let passed = world.tcp(inside, stranger, flags);
        assert_eq!(passed, Ok([outside, stranger]), "{flags:?}");
        assert!(world.tcp_back(stranger, outside, ACK).is_ok());
    }
    let own = world.tcp(inside, at(REMOTE_2, 80), ACK);
    assert_eq!(own, Ok([other, at(REMOTE_2, 80)]));
    // An ended connection hides no other mapping.
    world.tcp(inside, stranger, RST).expect("a RST");
    world.wait(241);
    let anew = world.tcp(inside, stranger, SYN);
    assert_eq!(anew, Ok([other, stranger]));
}

#[test]
fn a_syn_by_another_mapping_moves_no_open_connection() {
    let mut world = World::new(NatSpec {
        tcp_filtering: Some(Dependence::EndpointIndependent),
        ..NatSpec::new(Dependence::AddressDependent, Dependence::AddressDependent)
    });
    let (inside, remote) = (at(INSIDE, 5000), at(REMOTE_2, 80));
    let first = opened(&mut world, inside, at(REMOTE, 80));
    let own = opened(&mut world, inside, remote);
    world.tcp_back(remote, first, SYN).expect("a SYN");
    assert_eq!(world.tcp(inside, remote, ACK), Ok([own, remote]));
    // The remote host knows of no such connection.
    world.tcp_back(remote, own, RST).expect("a RST");
    world.tcp_back(remote, first, SYN).expect("a SYN");
    assert_eq!(world.tcp(inside, remote, SYN_ACK), Ok([first, remote]));
}
