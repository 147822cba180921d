//! Tests that a packet's fate depends only on the seed, its flow and its place in the flow.

use std::time::Duration;

use super::super::channel::{Channel, Fate};
use super::super::{
    Cause, GilbertElliott, Impairment, Jitter, Percent, QueueLimit, Reorder, Traffic,
};
use super::frame;
use crate::random::splitmix;

/// Returns all impairments that are drawn by chance.
fn wild() -> Impairment {
    Impairment {
        jitter: Jitter::normal(Duration::from_millis(2)),
        loss: Percent(5.0),
        loss_bursts: Some(GilbertElliott::of(Percent(3.0), 4.0)),
        lose_every: Some(50),
        duplicate: Percent(5.0),
        reorder: Reorder {
            percent: Percent(10.0),
            correlation: Percent(30.0),
            gap: 2,
        },
        corrupt: Percent(5.0),
        queue: QueueLimit::UNLIMITED,
        ..Impairment::delayed(Duration::from_millis(10))
    }
}

/// Returns a fate without the time at which it was decided.
fn relative(fate: Fate, now: u64) -> impl PartialEq + std::fmt::Debug {
    let copy = |copy: Option<super::super::channel::Delivery>| {
        copy.map(|delivery| (delivery.due - now, delivery.flip))
    };
    (copy(fate.first), copy(fate.second), fate.cause)
}

#[test]
fn neither_time_nor_other_flows_change_a_fate() {
    const N: usize = 3_000;
    let own = frame(80, 700);
    let mut alone = Channel::new(&wild(), 42);
    let expected: Vec<_> = (0..N as u64)
        .map(|now| relative(alone.admit(now, &own), now))
        .collect();

    let mut crowded = Channel::new(&wild(), 42);
    let (mut dice, mut now) = (1, 0);
    for expected in &expected {
        for _ in 0..splitmix(&mut dice) % 4 {
            crowded.admit(now, &frame(1000 + (splitmix(&mut dice) % 50) as u16, 300));
        }
        now += splitmix(&mut dice) % 5_000_000;
        assert_eq!(relative(crowded.admit(now, &own), now), *expected);
    }
}

#[test]
fn seeds_and_flows_have_fates_of_their_own() {
    let lost = |seed, port| {
        let mut channel = Channel::new(&wild(), seed);
        let frame = frame(port, 700);
        (0..500)
            .map(|now| channel.admit(now, &frame).first.is_none())
            .collect::<Vec<bool>>()
    };
    assert_eq!(lost(1, 80), lost(1, 80));
    assert_ne!(lost(1, 80), lost(2, 80));
    assert_ne!(lost(1, 80), lost(1, 81));
    // Ports that a kernel gives to clients differ from run to run, and count as one.
    assert_eq!(lost(1, 40_000), lost(1, 50_000));
}

#[test]
fn the_books_balance_at_every_moment() {
    let limited = Impairment {
        queue: QueueLimit::packets(40).and_bytes(30_000),
        rate: Some(super::super::Rate::mbit(3)),
        mtu: Some(1200),
        reorder: Reorder::NONE,
        ..wild()
    };
    let mut channel = Channel::new(&limited, 5);
    let (mut dice, mut now) = (3, 0);
    let mut under_way: Vec<(u64, u64)> = Vec::new();
    for turn in 0..20_000 {
        now += splitmix(&mut dice) % 2_000_000;
        let length = 60 + splitmix(&mut dice) % 1455;
        under_way.retain(|(due, length)| {
            if *due <= now {
                channel.count_delivered(Traffic::frame(*length as usize));
            }
            *due > now
        });
        let frame = frame((splitmix(&mut dice) % 5) as u16, length as usize);
        let fate = channel.admit(now, &frame);
        let copies = [fate.first, fate.second].into_iter().flatten();
        under_way.extend(copies.map(|copy| (copy.due, length)));
        if turn % 1000 == 0 {
            channel.change(&limited, now);
        }
        let queued = channel.counters().queued;
        let bytes = under_way.iter().map(|(_, length)| length).sum();
        assert_eq!(
            (queued.packets, queued.bytes),
            (under_way.len() as u64, bytes)
        );
    }
    let counters = channel.counters();
    assert!(counters.most_queued.packets <= 40 && counters.most_queued.bytes <= 30_000);
    for cause in Cause::ALL.into_iter().take(5) {
        assert!(counters.lost.by(cause).packets > 0, "no {cause}");
    }
}
