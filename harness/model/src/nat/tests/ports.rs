//! Which port a mapping gets, which address, and what happens when none is left.

use super::*;

fn with(ports: PortAssignment) -> NatSpec {
    NatSpec {
        ports,
        ..NatSpec::default()
    }
}

/// Sends a datagram from each of these ports, and returns the external ports.
fn ports_of(spec: NatSpec, inside: &[SocketAddrV4]) -> Vec<u16> {
    let mut world = World::new(spec);
    let outside = inside
        .iter()
        .map(|inside| world.udp(*inside, at(REMOTE, 1)));
    outside.map(|outside| outside.port()).collect()
}

#[test]
fn ports_are_assigned_as_asked() {
    let inside = [
        at(INSIDE, 5000),
        at(INSIDE_2, 5000),
        at(INSIDE, 9),
        at(INSIDE, 5001),
    ];
    let preserved = ports_of(with(PortAssignment::Preserving), &inside);
    assert_eq!((preserved[0], preserved[3]), (5000, 5001));
    assert_ne!(preserved[1], 5000, "it is taken");
    assert!(preserved[2] >= 1024, "it is not in the range");
    let sequential = ports_of(with(PortAssignment::Sequential), &inside);
    assert_eq!(sequential, [1024, 1025, 1026, 1027]);
    let random = ports_of(with(PortAssignment::Random), &inside);
    assert_eq!(
        random,
        ports_of(with(PortAssignment::Random), &inside),
        "of the same seed"
    );
    assert!(random.iter().all(|port| *port >= 1024));
    assert!(random.windows(2).any(|pair| pair[1].abs_diff(pair[0]) > 1));
}

#[test]
fn parity_is_kept_where_asked() {
    for ports in [
        PortAssignment::Preserving,
        PortAssignment::Sequential,
        PortAssignment::Random,
        PortAssignment::Blocks {
            size: 16,
            per_subscriber: 1,
        },
    ] {
        let spec = NatSpec {
            parity: true,
            ..with(ports)
        };
        let inside = [5000, 5000, 7001, 7001, 7001].iter().enumerate();
        let inside: Vec<SocketAddrV4> = inside
            .map(|(host, port)| at(Ipv4Addr::new(192, 168, 0, host as u8), *port))
            .collect();
        let parities: Vec<u16> = ports_of(spec, &inside)
            .iter()
            .map(|port| port % 2)
            .collect();
        assert_eq!(parities, [0, 0, 1, 1, 1], "{ports:?}");
    }
}

#[test]
fn a_pool_that_is_exhausted_does_as_asked() {
    let exhausted = |exhausted| {
        let mut world = World::new(NatSpec {
            port_range: [2000, 2003],
            exhausted,
            ..with(PortAssignment::Sequential)
        });
        for port in 1..5 {
            world.udp(at(INSIDE, port), at(REMOTE, 1));
            world.wait(1);
        }
        let fifth = world.outbound(at(INSIDE, 5), at(REMOTE, 1), UDP);
        (world, fifth)
    };
    let (mut world, fifth) = exhausted(Exhausted::Drop);
    assert_eq!(fifth, dropped(NatDrop::Exhausted));
    assert_eq!(world.nat.counters().dropped(NatDrop::Exhausted), 1);
    // TCP has ports of its own.
    assert!(
        world
            .tcp(at(INSIDE, 5), at(REMOTE, 1), TcpFlags::SYN)
            .is_ok()
    );
    // One port comes back.
    world.wait(297);
    assert_eq!(world.udp(at(INSIDE, 5), at(REMOTE, 1)), at(PUBLIC, 2000));
    let (_, fifth) = exhausted(Exhausted::IcmpError);
    let Err(NatOutcome::Answer { frame, .. }) = fifth else {
        panic!("no answer");
    };
    let headers = Headers::of(&frame);
    assert_eq!(headers.transport, Transport::Icmp { kind: 3, code: 13 });
    assert_eq!(headers.ips, Some([PUBLIC.into(), INSIDE.into()]));
    let (world, fifth) = exhausted(Exhausted::EvictOldest);
    assert_eq!(fifth, Ok([at(PUBLIC, 2000), at(REMOTE, 1)]));
    assert_eq!(world.nat.count(), 4);
}

#[test]
fn blocks_belong_to_subscribers_and_come_back() {
    let spec = NatSpec {
        port_range: [1024, 1024 + 31],
        ..with(PortAssignment::Blocks {
            size: 8,
            per_subscriber: 2,
        })
    };
    let mut world = World::new(spec);
    let block = |world: &mut World, host: u8, port: u16| {
        let inside = at(Ipv4Addr::new(192, 168, 0, host), port);
        let passed = world.outbound(inside, at(REMOTE, 1), UDP);
        passed.map(|[outside, _]| (outside.port() - 1024) / 8)
    };
    assert_eq!(block(&mut world, 1, 1), Ok(0));
    assert_eq!(block(&mut world, 2, 1), Ok(1));
    for port in 2..9 {
        assert_eq!(block(&mut world, 1, port), Ok(0));
    }
    assert_eq!(block(&mut world, 1, 9), Ok(2), "the second block");
    for port in 10..17 {
        assert_eq!(block(&mut world, 1, port), Ok(2));
    }
    assert_eq!(
        block(&mut world, 1, 17),
        Err(NatOutcome::Drop(NatDrop::Exhausted))
    );
    assert_eq!(block(&mut world, 3, 1), Ok(3));
    assert_eq!(
        block(&mut world, 4, 1),
        Err(NatOutcome::Drop(NatDrop::Exhausted))
    );
    world.wait(400);
    assert_eq!(block(&mut world, 4, 1), Ok(0));
}

#[test]
fn a_pool_of_addresses_is_paired_unless_asked_otherwise() {
    let pool = vec![Ipv4Addr::new(203, 0, 113, 2), Ipv4Addr::new(203, 0, 113, 3)];
    for (pooling, expected) in [(Pooling::Paired, 1), (Pooling::Arbitrary, 3)] {
        let mut world = World::new(NatSpec {
            pool: pool.clone(),
            pooling,
            ..NatSpec::default()
        });
        let addresses: std::collections::BTreeSet<Ipv4Addr> = (5000..5010)
            .map(|port| *world.udp(at(INSIDE, port), at(REMOTE, 1)).ip())
            .collect();
        assert_eq!(addresses.len(), expected);
        let other = world.udp(at(INSIDE_2, 5000), at(REMOTE, 1));
        assert!(pooling == Pooling::Arbitrary || !addresses.contains(other.ip()));
    }
}

#[test]
fn the_nat_answers_arp_for_its_pool() {
    let pool = Ipv4Addr::new(10, 0, 0, 2);
    let mut world = World::new(NatSpec {
        pool: vec![pool],
        ..NatSpec::default()
    });
    // The request asks for 10.0.0.2.
    let mut frame = crate::packet::testing::arp();
    let outcome = world
        .nat
        .inbound(&mut frame, Checksums::Complete, world.now);
    let NatOutcome::Answer { why: None, frame } = outcome else {
        panic!("no answer");
    };
    assert_eq!(frame[..12], [MAC_A, MAC_B].concat());
    assert_eq!(frame[20..22], [0, 2], "an answer");
    assert_eq!(frame[22..32], [&MAC_B[..], &pool.octets()].concat());
}
