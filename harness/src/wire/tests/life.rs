//! Wires begin, change and end as they should, and so do their threads.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::UdpGsoSegment;

use super::pair::{ETH0, Kind, Pair};
use crate::impair::Percent;
use crate::kernel::netlink::{Batch, Netlink};
use crate::kernel::testing::sealed;
use crate::model::impair::Direction;
use crate::model::impair::Impairment;

fn lossy(percent: f64) -> Impairment {
    Impairment {
        loss: Percent(percent),
        ..Impairment::NONE
    }
}

#[test]
fn a_change_is_in_force_when_it_returns() {
    sealed(|| {
        let pair = Pair::new(Kind::Packet, [Impairment::NONE, Impairment::NONE]);
        let [alice, bob] = pair.udp();
        let lossy = lossy(100.0);
        for round in 1..=20 {
            pair.wire.change(Direction::AToB, &lossy);
            assert_eq!(pair.wire.impairment(Direction::AToB), lossy);
            assert_eq!(pair.wire.impairment(Direction::BToA), Impairment::NONE);
            alice.send(b"lost").expect("sent");
            pair.until(Direction::AToB, |counters| {
                counters.lost.loss.packets == round
            });
            pair.wire.change(Direction::AToB, &Impairment::NONE);
            alice.send(b"heard").expect("sent");
            let mut heard = [0; 10];
            let length = bob.recv(&mut heard).expect("a datagram");
            assert_eq!(&heard[..length], b"heard");
        }
    });
}

#[test]
fn an_end_that_is_down_loses_what_it_is_sent_and_does_not_stop_the_wire() {
    sealed(|| {
        for kind in Kind::available() {
            let pair = Pair::new(kind, [Impairment::NONE, Impairment::NONE]);
            let [alice, bob] = pair.udp();
            let mut netlink = pair.visit(1, Netlink::open).expect("netlink");
            let mut batch = Batch::new();
            batch.set_down(ETH0);
            netlink.execute(batch).expect("down");
            if let Kind::Tap = kind {
                alice.send(b"lost").expect("sent");
                pair.until(Direction::AToB, |counters| {
                    counters.lost.overrun.packets == 1
                });
            }
            let mut batch = Batch::new();
            batch.set_up(ETH0);
            netlink.execute(batch).expect("up");
            let deadline = Instant::now() + Duration::from_secs(10);
            pair.wait_until_up(deadline);
            alice.send(b"heard").expect("sent");
            let mut heard = [0; 10];
            let length = bob.recv(&mut heard).expect("a datagram");
            assert_eq!(&heard[..length], b"heard");
        }
    });
}

#[test]
fn a_wire_that_has_ended_has_closed_its_ports() {
    sealed(|| {
        let Some(Kind::Tap) = Kind::available().first().copied() else {
            return;
        };
        let pair = Pair::new(Kind::Tap, [Impairment::NONE, Impairment::NONE]);
        let nodes = pair.end();
        for node in &nodes {
            let mut netlink = Netlink::open_in(node.as_fd()).expect("netlink");
            let left = netlink.interfaces().expect("interfaces");
            assert!(left.iter().all(|entry| entry.name != ETH0.name));
        }
    });
}

#[test]
fn late_deliveries_are_counted_with_and_without_spinning() {
    sealed(|| {
        let slow = Impairment::delayed(Duration::from_millis(2));
        let pair = Pair::new(Kind::Packet, [slow.clone(), slow]);
        let [alice, bob] = pair.udp();
        let mut heard = [0; 10];
        for round in 0..50 {
            pair.wire.spin(round % 2 == 1);
            let begin = Instant::now();
            alice.send(b"there").expect("sent");
            bob.recv(&mut heard).expect("a datagram");
            bob.send(b"back").expect("sent");
            alice.recv(&mut heard).expect("a datagram");
            assert!(begin.elapsed() >= Duration::from_micros(3_800));
        }
        let lateness = pair.wire.lateness();
        assert_eq!(lateness.deliveries, 100);
        assert!(lateness.late <= 100 && lateness.p99 <= lateness.worst);
    });
}

/// Sends a thousand datagrams, so many at a time as one super-frame. Returns the numbers of those
/// that get through.
fn survivors(kind: Kind, batch: usize) -> Vec<u16> {
    let pair = Pair::new(kind, [lossy(30.0), Impairment::NONE]);
    let [alice, bob] = pair.udp();
    setsockopt(&alice, UdpGsoSegment, &100).expect("segmentation");
    let numbers: Vec<u16> = (0..1000).collect();
    let (mut sent, mut survivors) = (0, Vec::new());
    // A socket's buffer does not hold all of them, so they are read as they come.
    for some in numbers.chunks(40) {
        for batch in some.chunks(batch) {
            let payload: Vec<u8> = batch.iter().flat_map(|number| datagram(*number)).collect();
            alice.send(&payload).expect("sent");
        }
        sent += some.len() as u64;
        pair.until(Direction::AToB, |counters| {
            counters.sent.packets == sent && counters.queued.packets == 0
        });
        let delivered = pair.wire.counters(Direction::AToB).delivered.packets;
        while survivors.len() < delivered as usize {
            let mut heard = [0; 200];
            assert_eq!(bob.recv(&mut heard).expect("a datagram"), 100);
            survivors.push(u16::from_be_bytes([heard[0], heard[1]]));
        }
    }
    survivors
}

fn datagram(number: u16) -> [u8; 100] {
    let mut payload = [0; 100];
    payload[..2].copy_from_slice(&number.to_be_bytes());
    payload
}

#[test]
fn the_same_seed_loses_the_same_packets_in_whatever_batches_they_come() {
    sealed(|| {
        let first = survivors(Kind::Packet, 1);
        assert!((600..800).contains(&first.len()), "{}", first.len());
        for kind in Kind::available() {
            for batch in [1, 10, 40] {
                assert!(survivors(kind, batch) == first, "{kind:?} {batch}");
            }
        }
    });
}
