//! Rule books: who decides, who counts, and what a test can wait for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::model::rules::{Order, RuleBook};
use crate::model::rules::{any, tcp, udp};
use crate::observe::{Expectation, Match, RuleGuard, Verdict};
use crate::trial::patience::Patience;

const NOW: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_secs(10);

fn rule(book: &Arc<RuleBook>, matching: Match, verdict: Verdict) -> RuleGuard {
    RuleGuard::new(book, matching, verdict, Patience::of(NOW)).unwrap()
}

fn judge(book: &RuleBook, frame: &[u8]) -> Option<Verdict> {
    book.judge(Direction::AToB, frame, 0)
        .map(|ruling| ruling.verdict)
}

#[test]
fn only_the_packet_that_is_meant_is_dropped() {
    let book = RuleBook::new("alice–bob", 0);
    assert!(book.is_empty());
    let second = rule(&book, tcp().syn_ack().nth(2), Verdict::Drop);
    assert!(!book.is_empty());
    let verdicts = [syn_ack(), syn(), syn_ack(), syn_ack()].map(|frame| judge(&book, &frame));
    assert_eq!(verdicts, [None, None, Some(Verdict::Drop), None]);
    assert_eq!(second.hits(), 1);
    assert_eq!(second.events(), [packet(&syn_ack())]);
}

#[test]
fn first_and_every_pick_by_number() {
    let book = RuleBook::new("alice–bob", 0);
    let picked = |matching: Match| {
        let _rule = rule(&book, matching, Verdict::Duplicate);
        let hits = (1..=7).filter(|_| judge(&book, &syn()).is_some());
        hits.collect::<Vec<_>>()
    };
    assert_eq!(picked(tcp().first(3)), [1, 2, 3]);
    assert_eq!(picked(tcp().every(3)), [3, 6]);
    assert_eq!(picked(tcp()), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn the_oldest_rule_decides_and_every_rule_counts() {
    let book = RuleBook::new("alice–bob", 0);
    let watch = rule(&book, any(), Verdict::Pass);
    let first = rule(&book, tcp().nth(1), Verdict::Drop);
    let second = rule(&book, tcp().nth(2), Verdict::Delay(SOON));
    let all = rule(&book, tcp(), Verdict::Duplicate);
    let verdicts = [(); 3].map(|()| judge(&book, &syn()));
    assert_eq!(
        verdicts,
        [
            Some(Verdict::Drop),
            Some(Verdict::Delay(SOON)),
            Some(Verdict::Duplicate)
        ]
    );
    assert_eq!(
        [&watch, &first, &second, &all].map(RuleGuard::hits),
        [3, 1, 1, 1]
    );
}

#[test]
fn a_rule_ends_with_its_guard() {
    let book = RuleBook::new("alice–bob", 0);
    let drop_all = rule(&book, any(), Verdict::Drop);
    let inner = rule(&book, udp(), Verdict::Corrupt);
    assert_eq!(judge(&book, &syn()), Some(Verdict::Drop));
    drop(drop_all);
    assert_eq!(judge(&book, &syn()), None);
    assert_eq!(judge(&book, &udp_from(1, b"")), Some(Verdict::Corrupt));
    drop(inner);
    assert!(book.is_empty());
}

#[test]
fn what_is_held_is_let_go_on_release_and_with_the_guard() {
    let book = RuleBook::new("alice–bob", 0);
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    book.set_waker(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let hold = rule(&book, tcp(), Verdict::Hold);
    let ruling = book.judge(Direction::AToB, &syn(), 0).unwrap();
    assert_eq!(ruling.verdict, Verdict::Hold);
    assert_eq!(book.take_orders(), []);
    assert_eq!(hold.release(), 1);
    assert_eq!(book.take_orders(), [Order::Release(ruling.rule)]);
    assert_eq!((hold.release(), woken.load(Ordering::Relaxed)), (0, 1));

    assert_eq!(judge(&book, &syn()), Some(Verdict::Hold));
    drop(hold);
    assert_eq!(book.take_orders(), [Order::Release(ruling.rule)]);
    assert_eq!(woken.load(Ordering::Relaxed), 2);
}

#[test]
fn a_reset_orders_a_frame_for_each_end() {
    let book = RuleBook::new("alice–bob", 0);
    let _rule = rule(&book, tcp(), Verdict::Reset);
    assert_eq!(judge(&book, &syn()), Some(Verdict::Reset));
    let ways: Vec<_> = book
        .take_orders()
        .into_iter()
        .map(|order| match order {
            Order::Send { direction, frame } => (direction, Headers::of(&frame).ports()),
            Order::Release(_) => panic!("nothing is held"),
        })
        .collect();
    assert_eq!(
        ways,
        [
            (Direction::AToB, Some([40000, 80])),
            (Direction::BToA, Some([80, 40000]))
        ]
    );
}

#[test]
fn hits_are_waited_for_from_another_thread() {
    let book = RuleBook::new("alice–bob", 0);
    let rule = RuleGuard::new(&book, tcp(), Verdict::Drop, Patience::of(SOON)).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| rule.wait_for_hits(3));
        for _ in 0..3 {
            judge(&book, &syn());
        }
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn an_expectation_gives_the_packet_or_says_what_was_seen_instead() {
    let book = RuleBook::new("alice–bob", 0);
    let expected = Expectation::new(&book, tcp().port(80).syn()).unwrap();
    assert_eq!(expected.seen(), None);
    judge(&book, &arp());
    judge(&book, &syn_ack());
    let error = expected.within(NOW).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(
        error.to_string(),
        "waited 0ns in vain for a packet `tcp, port 80, syn` on link `alice–bob`; \
         2 other packets passed meanwhile, the last ones:\n  \
         +0.000000s a→b ARP, 42 bytes\n  \
         +0.000000s a→b TCP 10.0.0.2:80 → 10.0.0.1:40000 [SYN ACK] seq 900 ack 101, 54 bytes"
    );
    judge(&book, &syn());
    assert_eq!(expected.within(NOW).unwrap(), packet(&syn()));
}

#[test]
fn a_closure_that_panics_ends_its_rule_and_nothing_else() {
    let book = RuleBook::new("alice–bob", 0);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let bad = tcp().matching(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        panic!("boom")
    });
    let bad = RuleGuard::new(&book, bad, Verdict::Drop, Patience::of(SOON)).unwrap();
    let good = rule(&book, tcp(), Verdict::Duplicate);
    assert_eq!(judge(&book, &syn()), Some(Verdict::Duplicate));
    assert_eq!(judge(&book, &syn()), Some(Verdict::Duplicate));
    assert_eq!((bad.hits(), good.hits()), (0, 2));
    assert_eq!(calls.load(Ordering::Relaxed), 1, "it is not asked again");
    // Although there is plenty of time: nothing will come any more.
    let error = bad.wait_for_hits(1).unwrap_err();
    assert!(!error.is_timeout());
    assert_eq!(
        error.to_string(),
        "a closure of the rule `tcp, satisfying a closure` on link `alice–bob` panicked: boom"
    );
}

#[test]
fn a_closure_may_ask_its_own_rule() {
    let book = RuleBook::new("alice–bob", 0);
    let guard: Arc<Mutex<Option<RuleGuard>>> = Arc::default();
    let inside = Arc::clone(&guard);
    let matching = tcp().matching(move |_| {
        let guard = inside.lock().unwrap();
        guard.as_ref().is_none_or(|rule| rule.hits() == 0)
    });
    *guard.lock().unwrap() = Some(rule(&book, matching, Verdict::Drop));
    assert_eq!(judge(&book, &syn()), Some(Verdict::Drop));
    assert_eq!(judge(&book, &syn()), None);
}
