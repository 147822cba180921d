//! ICMP: echoes by their identifiers, and errors with the packet that they quote.

use super::*;
use crate::packet::checksum::Sum;

/// Returns an ICMP message as a frame.
fn message(from: Ipv4Addr, to: Ipv4Addr, kind: u8, rest: &[u8]) -> Vec<u8> {
    let spec = PacketSpec {
        ips: [from.into(), to.into()],
        transport: Transport::Icmp { kind, code: 0 },
        payload: &rest[4..],
    };
    let mut frame = spec.frame([MAC_A, MAC_B]).expect("a packet of IPv4");
    frame[38..42].copy_from_slice(&rest[..4]);
    frame[36..38].fill(0);
    let sum = Sum::default().add(&frame[34..]).checksum();
    frame[36..38].copy_from_slice(&sum);
    frame
}

fn echo(from: Ipv4Addr, to: Ipv4Addr, kind: u8, id: u16) -> Vec<u8> {
    let rest = [&id.to_be_bytes()[..], &[0, 1], b"ping"].concat();
    message(from, to, kind, &rest)
}

fn error(from: Ipv4Addr, to: Ipv4Addr, quoted: &[u8]) -> Vec<u8> {
    message(from, to, 3, &[&[0, 0, 5, 0], quoted].concat())
}

#[test]
fn echoes_are_told_apart_by_their_identifiers() {
    for ports in [PortAssignment::Preserving, PortAssignment::Random] {
        let mut world = World::new(NatSpec {
            ports,
            ..preset::port_restricted_cone()
        });
        let ids = [INSIDE, INSIDE_2].map(|inside| {
            let mut frame = echo(inside, REMOTE, 8, 9);
            let outcome = world
                .nat
                .outbound(&mut frame, Checksums::Complete, world.now);
            assert_eq!(outcome, NatOutcome::Pass);
            let id = u16::from_be_bytes([frame[38], frame[39]]);
            assert_eq!(frame, echo(PUBLIC, REMOTE, 8, id), "checksums");
            id
        });
        assert_ne!(ids[0], ids[1]);
        for (inside, id) in [INSIDE, INSIDE_2].into_iter().zip(ids) {
            let mut frame = echo(REMOTE, PUBLIC, 0, id);
            let outcome = world
                .nat
                .inbound(&mut frame, Checksums::Complete, world.now);
            assert_eq!(outcome, NatOutcome::Pass);
            assert_eq!(frame, echo(REMOTE, inside, 0, 9));
            // Nobody else may answer, and a question of a stranger is none for a host inside.
            let mut frame = echo(REMOTE_2, PUBLIC, 0, id);
            let outcome = world
                .nat
                .inbound(&mut frame, Checksums::Complete, world.now);
            assert_eq!(outcome, NatOutcome::Drop(NatDrop::Filtered));
            let mut frame = echo(REMOTE, PUBLIC, 8, id);
            let outcome = world
                .nat
                .inbound(&mut frame, Checksums::Complete, world.now);
            assert_eq!(outcome, NatOutcome::Drop(NatDrop::NoMapping));
        }
        world.wait(61);
        let mut frame = echo(REMOTE, PUBLIC, 0, ids[0]);
        let outcome = world
            .nat
            .inbound(&mut frame, Checksums::Complete, world.now);
        assert_eq!(outcome, NatOutcome::Drop(NatDrop::NoMapping));
    }
}

#[test]
fn an_error_comes_in_with_the_packet_that_was_sent() {
    for transport in [UDP, segment(TcpFlags::SYN)] {
        for quoted in [28, 48] {
            let mut world = World::new(preset::symmetric());
            let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 53));
            let [outside, _] = world.outbound(inside, remote, transport).expect("sent");
            let sent = made([outside, remote], transport);
            let sent = &sent[14..sent.len().min(14 + quoted)];
            // A router on the way, to which no packet went.
            let mut frame = error(REMOTE_2, PUBLIC, sent);
            let outcome = world
                .nat
                .inbound(&mut frame, Checksums::Complete, world.now);
            assert_eq!(outcome, NatOutcome::Pass);
            let as_sent = made([inside, remote], transport);
            let as_sent = &as_sent[14..as_sent.len().min(14 + quoted)];
            assert_eq!(frame, error(REMOTE_2, INSIDE, as_sent));
        }
    }
}

#[test]
fn an_error_from_inside_hides_the_inside() {
    let mut world = World::new(preset::full_cone());
    let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 53));
    let outside = world.udp(inside, remote);
    let router = Ipv4Addr::new(192, 168, 0, 1);
    for from in [INSIDE, router, PUBLIC] {
        let received = &made([remote, inside], UDP)[14..42];
        let mut frame = error(from, REMOTE, received);
        let outcome = world
            .nat
            .outbound(&mut frame, Checksums::Complete, world.now);
        assert_eq!(outcome, NatOutcome::Pass);
        let as_sent = &made([remote, outside], UDP)[14..42];
        assert_eq!(frame, error(PUBLIC, REMOTE, as_sent));
    }
}

#[test]
fn an_error_about_a_packet_that_came_back_goes_to_its_sender() {
    for icmp_errors in [true, false] {
        let mut world = World::new(NatSpec {
            ports: PortAssignment::Random,
            icmp_errors,
            ..preset::full_cone()
        });
        let (one, two) = (at(INSIDE, 5000), at(INSIDE_2, 6000));
        let outside_2 = world.udp(two, at(REMOTE, 1));
        let [outside_1, to] = world.outbound(one, outside_2, UDP).expect("comes back");
        assert_eq!(to, two);
        let mut frame = error(INSIDE_2, PUBLIC, &made([outside_1, two], UDP)[14..42]);
        let outcome = world
            .nat
            .outbound(&mut frame, Checksums::Complete, world.now);
        if !icmp_errors {
            assert_eq!(outcome, NatOutcome::Drop(NatDrop::IcmpError));
            continue;
        }
        assert_eq!(outcome, NatOutcome::Hairpin);
        frame[..12].rotate_left(6);
        let as_sent = &made([one, outside_2], UDP)[14..42];
        assert_eq!(frame, error(PUBLIC, INSIDE, as_sent));
    }
}

#[test]
fn an_error_about_a_packet_of_the_router_itself_goes_back_to_the_router() {
    let mut world = World::new(preset::full_cone());
    let inside = at(INSIDE, 5000);
    world.udp(inside, at(REMOTE, 1));
    // From one of the ports, the router has also sent outward.
    let [used, other] = [at(PUBLIC, 5001), at(PUBLIC, 53)];
    world.udp(used, at(REMOTE, 2));
    for own in [used, other] {
        let sent = error(INSIDE, PUBLIC, &made([own, inside], UDP)[14..42]);
        let mut frame = sent.clone();
        let outcome = world
            .nat
            .outbound(&mut frame, Checksums::Complete, world.now);
        assert_eq!(outcome, NatOutcome::Hairpin);
        frame[..12].rotate_left(6);
        assert_eq!(frame, sent);
    }
}

#[test]
fn errors_stay_out_where_that_was_asked_or_nothing_was_sent() {
    for icmp_errors in [true, false] {
        let mut world = World::new(NatSpec {
            icmp_errors,
            ..preset::port_restricted_cone()
        });
        let (inside, remote) = (at(INSIDE, 5000), at(REMOTE, 53));
        let outside = world.udp(inside, remote);
        let error_about = |world: &mut World, source| {
            let mut frame = error(REMOTE, PUBLIC, &made([source, remote], UDP)[14..42]);
            world
                .nat
                .inbound(&mut frame, Checksums::Complete, world.now)
        };
        let expected = match icmp_errors {
            true => NatOutcome::Pass,
            false => NatOutcome::Drop(NatDrop::IcmpError),
        };
        assert_eq!(error_about(&mut world, outside), expected);
        let stranger = error_about(&mut world, at(PUBLIC, 4999));
        assert_eq!(stranger, NatOutcome::Drop(NatDrop::IcmpError));
    }
}

#[test]
fn a_frame_that_is_cut_off_anywhere_is_no_panic() {
    let mut world = World::new(preset::full_cone());
    let outside = world.udp(at(INSIDE, 5000), at(REMOTE, 53));
    let quoted = made([outside, at(REMOTE, 53)], segment(TcpFlags::SYN));
    let frames = [
        error(REMOTE, PUBLIC, &quoted[14..]),
        echo(INSIDE, REMOTE, 8, 1),
        made([at(INSIDE, 1), at(PUBLIC, 2)], segment(TcpFlags::SYN)),
        made([at(REMOTE, 1), at(PUBLIC, 2)], UDP),
    ];
    for frame in frames {
        for length in 0..frame.len() {
            for first in [0x45, 0x46, 0x4f, 0x40] {
                let mut cut = frame[..length].to_vec();
                if let Some(byte) = cut.get_mut(14) {
                    *byte = first;
                }
                world
                    .nat
                    .outbound(&mut cut.clone(), Checksums::Complete, world.now);
                world.nat.inbound(&mut cut, Checksums::Partial, world.now);
            }
        }
    }
}
