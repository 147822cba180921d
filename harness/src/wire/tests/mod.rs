//! Wires between two network namespaces, with sockets at both ends.

mod life;
mod listeners;
mod pair;
mod rules;

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use self::pair::{Kind, Pair};
use crate::impair::Cause;
use crate::impair::Percent;
use crate::kernel::testing::sealed;
use crate::model::impair::Direction;
use crate::model::impair::Impairment;

#[test]
fn datagrams_pass_in_both_directions_after_their_delays() {
    sealed(|| {
        for kind in Kind::available() {
            let slow = Impairment::delayed(Duration::from_millis(20));
            let pair = Pair::new(kind, [slow, Impairment::NONE]);
            let [alice, bob] = pair.udp();
            let begin = Instant::now();
            alice.send(b"there").expect("sent");
            let mut heard = [0; 100];
            assert_eq!(bob.recv(&mut heard).expect("a datagram"), 5);
            let there = begin.elapsed();
            assert!(there >= Duration::from_millis(19), "{there:?}");
            bob.send(b"back again").expect("sent");
            assert_eq!(alice.recv(&mut heard).expect("a datagram"), 10);
            let counters = pair.wire.counters(Direction::AToB);
            assert_eq!(counters.sent.packets, 1);
            assert_eq!(counters.delivered, counters.sent);
            assert_eq!(counters.sent.bytes, 14 + 20 + 8 + 5);
            let counters = pair.wire.counters(Direction::BToA);
            assert_eq!(counters.delivered.packets, 1);
        }
    });
}

#[test]
fn a_stream_arrives_whole_whatever_is_lost_and_spoiled() {
    sealed(|| {
        for kind in Kind::available() {
            let bad = Impairment {
                delay: Duration::from_millis(1),
                loss: Percent(2.0),
                corrupt: Percent(1.0),
                duplicate: Percent(1.0),
                ..Impairment::NONE
            };
            for there in [
                Impairment::NONE,
                Impairment::delayed(Duration::from_millis(1)),
                bad,
            ] {
                let pair = Pair::new(kind, [there.clone(), Impairment::NONE]);
                let [mut alice, mut bob] = pair.tcp();
                let sent: Vec<u8> = (0..2_000_000u32).map(|at| (at / 7) as u8).collect();
                let copy = sent.clone();
                let writer = std::thread::spawn(move || alice.write_all(&copy));
                let mut heard = Vec::new();
                bob.read_to_end(&mut heard).expect("a stream");
                writer.join().expect("a thread").expect("all was sent");
                assert!(heard == sent, "{} of {} bytes", heard.len(), sent.len());
                let counters = pair.wire.counters(Direction::AToB);
                let balance = counters.delivered.packets
                    + counters.lost.total().packets
                    + counters.queued.packets;
                assert_eq!(counters.sent.packets + counters.duplicated.packets, balance);
                assert_eq!(
                    counters.lost.by(Cause::Loss).packets > 0,
                    there.loss != Percent::ZERO
                );
                assert!(
                    counters.sent.packets >= 2_000_000 / 1460,
                    "{}",
                    counters.sent
                );
            }
        }
    });
}

#[test]
fn nothing_passes_a_cut_and_what_was_under_way_is_lost() {
    sealed(|| {
        for kind in Kind::available() {
            let slow = Impairment::delayed(Duration::from_millis(200));
            let pair = Pair::new(kind, [slow, Impairment::NONE]);
            let [alice, bob] = pair.udp();
            alice.send(b"under way").expect("sent");
            pair.until(Direction::AToB, |counters| counters.queued.packets == 1);
            pair.wire.cut(Direction::AToB);
            pair.wire.cut(Direction::AToB);
            pair.until(Direction::AToB, |counters| counters.queued.packets == 0);
            alice.send(b"too late").expect("sent");
            pair.until(Direction::AToB, |counters| counters.lost.cut.packets == 2);
            pair.wire.heal(Direction::AToB);
            alice.send(b"one cut is left").expect("sent");
            pair.until(Direction::AToB, |counters| counters.lost.cut.packets == 3);
            pair.wire.heal(Direction::AToB);
            alice.send(b"healed").expect("sent");
            let mut heard = [0; 100];
            let length = bob.recv(&mut heard).expect("a datagram");
            assert_eq!(&heard[..length], b"healed");
            let counters = pair.wire.counters(Direction::AToB);
            assert_eq!((counters.sent.packets, counters.delivered.packets), (4, 1));
            bob.set_nonblocking(true).expect("a socket");
            let nothing = bob.recv(&mut heard).expect_err("nothing else arrives");
            assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        }
    });
}
