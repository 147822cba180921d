//! A wire tells its listeners of each frame.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::pair::{ETH0, Kind, Pair};
use crate::impair::Percent;
use crate::kernel::netlink::{Batch, Netlink};
use crate::kernel::testing::sealed;
use crate::model::impair::Impairment;
use crate::model::impair::{Cause, Direction};
use crate::model::packet::{FrameEvent, FrameFate, Listener};
use crate::observe::{RuleGuard, Verdict, udp};
use crate::trial::patience::Patience;

/// Writes down, in a line each, what it hears of datagrams with a text.
#[derive(Debug, Default)]
struct Log(Mutex<Vec<String>>);

impl Listener for Log {
    fn frame(&self, event: &FrameEvent<'_>) {
        let Some(text) = event.frame.get(42..) else {
            return;
        };
        let text = String::from_utf8_lossy(text);
        let fate = match event.fate {
            FrameFate::Entered => "entered".to_owned(),
            FrameFate::Delivered => "delivered".to_owned(),
            FrameFate::Dropped(cause) => format!("dropped, {cause}"),
            FrameFate::DroppedLate(cause) => format!("dropped late, {cause}"),
        };
        let remark = event.remark.map(|remark| format!(" ({remark})"));
        let remark = remark.unwrap_or_default();
        let (link, direction) = (event.link, event.direction);
        let line = format!("{link} {direction} {text}: {fate}{remark}");
        self.0.lock().expect("no panic").push(line);
    }

    fn missed(&self, frames: u64) {
        panic!("a wire misses nothing, and not {frames} frames");
    }
}

/// Sends texts from Alice, and returns what the listener heard as soon as it has heard so many
/// lines.
fn hear(pair: &Pair, log: &Arc<Log>, texts: &[&str], lines: usize) -> Vec<String> {
    let [alice, _bob] = pair.udp();
    for text in texts {
        alice.send(text.as_bytes()).expect("sent");
    }
    let is_enough = || log.0.lock().expect("no panic").len() >= lines;
    pair.until(Direction::AToB, |_| is_enough());
    log.0.lock().expect("no panic").clone()
}

fn listened_to(there: Impairment) -> (Pair, Arc<Log>) {
    let pair = Pair::new(Kind::Packet, [there, Impairment::NONE]);
    let log = Arc::new(Log::default());
    pair.wire.listen(Arc::clone(&log) as Arc<dyn Listener>);
    (pair, log)
}

#[test]
fn each_frame_is_told_of_when_it_comes_and_when_it_goes() {
    sealed(|| {
        let (pair, log) = listened_to(Impairment::NONE);
        let says = |text: &'static str| udp().payload(move |payload| payload == text.as_bytes());
        let rule = |text, verdict| {
            RuleGuard::new(
                pair.wire.rules(),
                says(text),
                verdict,
                Patience::of(Duration::ZERO),
            )
            .expect("a rule")
        };
        let _lost = rule("lost", Verdict::Drop);
        let _twice = rule("twice", Verdict::Duplicate);
        let heard = hear(&pair, &log, &["plain", "lost", "twice"], 6);
        let mut expected = vec![
            "plain: entered",
            "plain: delivered",
            "lost: dropped, RULE",
            "twice: entered (TWICE)",
            "twice: delivered",
            "twice: delivered (duplicate)",
        ];
        let mut heard: Vec<String> = heard
            .iter()
            .map(|line| line.replace("alice–bob a→b ", ""))
            .map(|line| shorten(&line))
            .collect();
        // Whether one goes before the next one comes is a matter of batches.
        heard.sort();
        expected.sort_unstable();
        assert_eq!(heard, expected);
    });
}

/// Cuts the words of rules off a line: other tests are about them.
fn shorten(line: &str) -> String {
    let line = match line.split_once("dropped, drop by rule") {
        Some((before, _)) => format!("{before}dropped, RULE"),
        None => line.to_owned(),
    };
    match line.split_once("(duplicate by rule") {
        Some((before, _)) => format!("{before}(TWICE)"),
        None => line,
    }
}

#[test]
fn what_chance_and_cuts_do_is_told_as_well() {
    sealed(|| {
        let bad = Impairment {
            loss: Percent(100.0),
            ..Impairment::NONE
        };
        let (pair, log) = listened_to(bad);
        let heard = hear(&pair, &log, &["lost"], 1);
        assert_eq!(heard, ["alice–bob a→b lost: dropped, loss"]);

        let (pair, log) = listened_to(Impairment::delayed(Duration::from_millis(100)));
        hear(&pair, &log, &["late"], 1);
        pair.wire.cut(Direction::AToB);
        let heard = hear(&pair, &log, &["refused"], 3);
        assert_eq!(
            heard,
            [
                "alice–bob a→b late: entered",
                "alice–bob a→b refused: dropped, link cut",
                "alice–bob a→b late: dropped late, link cut",
            ]
        );
    });
}

#[test]
fn a_frame_that_its_port_refuses_is_not_told_of_as_delivered() {
    sealed(|| {
        // A packet socket sends into an interface that is down, and hears nothing of it.
        let Some(Kind::Tap) = Kind::available().first().copied() else {
            return;
        };
        let pair = Pair::new(Kind::Tap, [Impairment::NONE, Impairment::NONE]);
        let log = Arc::new(Log::default());
        pair.wire.listen(Arc::clone(&log) as Arc<dyn Listener>);
        let [_alice, bob] = pair.udp();
        let mut netlink = pair.visit(0, Netlink::open).expect("netlink");
        let mut batch = Batch::new();
        batch.set_down(ETH0);
        netlink.execute(batch).expect("down");
        bob.send(b"lost").expect("sent");
        pair.until(Direction::BToA, |counters| {
            counters.lost.overrun.packets == 1
        });
        let heard = log.0.lock().expect("no panic").clone();
        let overrun = Cause::Overrun;
        let expected = ["entered".into(), format!("dropped late, {overrun}")];
        assert_eq!(
            heard,
            expected.map(|fate| format!("alice–bob b→a lost: {fate}"))
        );
    });
}

#[test]
fn a_flipped_bit_is_named_when_the_frame_goes() {
    sealed(|| {
        let bad = Impairment {
            corrupt: Percent(100.0),
            ..Impairment::NONE
        };
        let (pair, log) = listened_to(bad);
        let heard = hear(&pair, &log, &["0123456789"], 2);
        assert_eq!(heard[0], "alice–bob a→b 0123456789: entered");
        assert!(
            heard[1].contains("delivered (bit flipped in byte "),
            "{heard:?}"
        );
    });
}

#[test]
fn who_is_forgotten_hears_nothing_more() {
    sealed(|| {
        let (pair, log) = listened_to(Impairment::NONE);
        let other = Arc::new(Log::default());
        pair.wire.listen(Arc::clone(&other) as Arc<dyn Listener>);
        assert_eq!(hear(&pair, &log, &["one"], 2).len(), 2);
        let listener = Arc::clone(&log) as Arc<dyn Listener>;
        pair.wire.forget(&listener);
        assert_eq!(hear(&pair, &other, &["two"], 4).len(), 4);
        assert_eq!(log.0.lock().expect("no panic").len(), 2);
    });
}
