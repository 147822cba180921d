//! A wire does to packets what their rules say.

use std::io::{ErrorKind, Read, Write};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::UdpGsoSegment;

use super::pair::{Kind, Pair};
use crate::kernel::testing::sealed;
use crate::model::impair::Direction;
use crate::model::impair::Impairment;
use crate::observe::{Match, RuleGuard, Verdict, tcp, udp};
use crate::trial::patience::Patience;

const SOON: Duration = Duration::from_secs(10);

fn rule(pair: &Pair, matching: Match, verdict: Verdict) -> RuleGuard {
    RuleGuard::new(pair.wire.rules(), matching, verdict, Patience::of(SOON)).expect("a rule")
}

fn plain() -> Pair {
    Pair::new(Kind::Packet, [Impairment::NONE, Impairment::NONE])
}

fn send(socket: &UdpSocket, texts: &[&str]) {
    for text in texts {
        socket.send(text.as_bytes()).expect("sent");
    }
}

fn hear(socket: &UdpSocket) -> String {
    let mut heard = [0; 2000];
    let length = socket.recv(&mut heard).expect("a datagram");
    String::from_utf8_lossy(&heard[..length]).into_owned()
}

/// Matches a datagram with this text.
fn says(text: &'static str) -> Match {
    udp().payload(move |payload| payload == text.as_bytes())
}

#[test]
fn drop_duplicate_and_delay_meet_the_packets_that_are_meant() {
    sealed(|| {
        let pair = plain();
        let [alice, bob] = pair.udp();
        let lost = rule(&pair, says("lost"), Verdict::Drop);
        let twice = rule(&pair, says("twice"), Verdict::Duplicate);
        let late = Duration::from_millis(30);
        let _late = rule(&pair, says("late"), Verdict::Delay(late));
        let begin = Instant::now();
        send(&alice, &["late", "lost", "twice", "once"]);
        let heard = [(); 4].map(|()| hear(&bob));
        assert_eq!(heard, ["twice", "twice", "once", "late"]);
        assert!(begin.elapsed() >= late, "{:?}", begin.elapsed());
        assert_eq!((lost.hits(), twice.hits()), (1, 1));
        let counters = pair.wire.counters(Direction::AToB);
        assert_eq!(counters.sent.packets, 4);
        assert_eq!(counters.lost.rule.packets, 1);
        assert_eq!(counters.duplicated.packets, 1);
        assert_eq!(counters.delivered.packets, 4);
        // Both copies of the second, and the third, have overtaken the first.
        assert_eq!(counters.reordered.packets, 3);
    });
}

#[test]
fn a_corrupt_datagram_does_not_get_past_its_checksum() {
    sealed(|| {
        let pair = plain();
        let [alice, bob] = pair.udp();
        let _rule = rule(&pair, says("spoiled"), Verdict::Corrupt);
        send(&alice, &["spoiled", "sound"]);
        assert_eq!(hear(&bob), "sound");
        let counters = pair.wire.counters(Direction::AToB);
        assert_eq!(counters.corrupted.packets, 1);
        assert_eq!(counters.delivered.packets, 2);
    });
}

/// Sends ten datagrams as one super-frame, the third of which a rule is about. Returns the numbers
/// of those that arrive.
fn survivors(verdict: Verdict) -> Vec<u8> {
    let pair = plain();
    let [alice, bob] = pair.udp();
    setsockopt(&alice, UdpGsoSegment, &100).expect("segmentation");
    let rule = rule(&pair, udp().nth(3), verdict);
    let payload: Vec<u8> = (0..10).flat_map(|number| [number; 100]).collect();
    alice.send(&payload).expect("sent");
    pair.until(Direction::AToB, |counters| {
        counters.sent.packets == 10 && counters.queued.packets == 0
    });
    assert_eq!(rule.hits(), 1);
    alice.send(&[99; 100]).expect("sent");
    let mut heard = [0; 200];
    let hear = || {
        assert_eq!(bob.recv(&mut heard).expect("a datagram"), 100);
        (heard[0] != 99).then_some(heard[0])
    };
    std::iter::from_fn(hear).collect()
}

#[test]
fn a_rule_meets_one_packet_of_a_super_frame() {
    sealed(|| {
        let all: Vec<u8> = (0..10).collect();
        let others: Vec<u8> = all.iter().copied().filter(|number| *number != 2).collect();
        assert_eq!(survivors(Verdict::Pass), all);
        assert_eq!(survivors(Verdict::Drop), others);
        assert_eq!(survivors(Verdict::Corrupt), others);
        assert_eq!(survivors(Verdict::Duplicate).len(), 11);
    });
}

#[test]
fn what_is_held_stays_until_its_release_and_keeps_its_order() {
    sealed(|| {
        let pair = plain();
        let [alice, bob] = pair.udp();
        let hold = rule(&pair, udp().length(..60), Verdict::Hold);
        let other = rule(&pair, says(OTHER), Verdict::Hold);
        send(&alice, &["one", OTHER, "two", PASSES]);
        assert_eq!(hear(&bob), PASSES);
        let counters = pair.wire.counters(Direction::AToB);
        assert_eq!((counters.sent.packets, counters.queued.packets), (4, 3));
        assert_eq!(hold.release(), 2);
        assert_eq!([hear(&bob), hear(&bob)], ["one", "two"]);
        send(&alice, &["three"]);
        pair.until(Direction::AToB, |counters| counters.queued.packets == 2);
        drop(hold);
        assert_eq!(hear(&bob), "three");
        drop(other);
        assert_eq!(hear(&bob), OTHER);
        assert_eq!(pair.wire.counters(Direction::AToB).delivered.packets, 5);
    });
}

const OTHER: &str = "something that is held by another rule and by no other one";
const PASSES: &str = "something that is long enough to be held by none of the rules";

#[test]
fn what_is_held_when_the_wire_is_cut_is_lost_on_release() {
    sealed(|| {
        let pair = plain();
        let [alice, bob] = pair.udp();
        let hold = rule(&pair, says("held"), Verdict::Hold);
        send(&alice, &["held"]);
        hold.wait_for_hits(1).expect("a hit");
        pair.wire.cut(Direction::AToB);
        assert_eq!(hold.release(), 1);
        pair.until(Direction::AToB, |counters| counters.lost.cut.packets == 1);
        pair.wire.heal(Direction::AToB);
        send(&alice, &["healed"]);
        assert_eq!(hear(&bob), "healed");
    });
}

#[test]
fn a_reset_ends_the_connection_at_both_ends() {
    sealed(|| {
        let pair = plain();
        let [mut alice, mut bob] = pair.tcp();
        let goodbye = tcp().payload(|payload| payload == b"goodbye");
        let rule = rule(&pair, goodbye, Verdict::Reset);
        alice.write_all(b"hello").expect("sent");
        let mut heard = [0; 5];
        bob.read_exact(&mut heard).expect("a greeting");
        alice.write_all(b"goodbye").expect("sent");
        for stream in [&mut alice, &mut bob] {
            let error = stream.read(&mut heard).expect_err("a reset");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        assert_eq!(rule.hits(), 1);
    });
}
