//! Whether chance hits as often as it was asked to.

use super::super::channel::Channel;
use super::super::{Cause, GilbertElliott, Impairment, Percent};
use super::frame;

/// How far a count of `n` tries may be from what is expected: the two-sided 99.9 % interval.
const WIDTH: f64 = 3.2905;

/// Returns whether that many hits are likely.
fn is_likely(hits: usize, n: usize, p: f64) -> bool {
    let expected = n as f64 * p;
    (hits as f64 - expected).abs() <= WIDTH * (expected * (1.0 - p)).sqrt()
}

/// Returns which of `n` packets of one flow are lost.
fn lost(impairment: &Impairment, seed: u64, n: usize) -> Vec<bool> {
    let mut channel = Channel::new(impairment, seed);
    let frame = frame(80, 100);
    let mut admit = |now| channel.admit(now, &frame).first.is_none();
    (0..n as u64).map(&mut admit).collect()
}

fn hits(fates: &[bool]) -> usize {
    fates.iter().filter(|lost| **lost).count()
}

#[test]
fn losses_lie_in_the_binomial_interval() {
    const N: usize = 50_000;
    for share in [0.1, 1.0, 5.0, 30.0] {
        let impairment = Impairment {
            loss: Percent(share),
            ..Impairment::NONE
        };
        let unlikely = (0..10)
            .map(|seed| hits(&lost(&impairment, seed, N)))
            .filter(|hits| !is_likely(*hits, N, share / 100.0))
            .count();
        assert!(
            unlikely <= 1,
            "{unlikely} of 10 seeds are unlikely at {share} %"
        );
    }
}

#[test]
fn losses_have_no_memory() {
    const N: usize = 100_000;
    let impairment = Impairment {
        loss: Percent(20.0),
        ..Impairment::NONE
    };
    let fates = lost(&impairment, 7, N);
    for distance in [1, 2, 3, 10, 100] {
        let both = fates.iter().zip(&fates[distance..]);
        let both = both.filter(|(one, other)| **one && **other).count();
        // Neighbouring pairs are not independent of each other, which widens the interval a little.
        assert!(is_likely(both, N - distance, 0.04), "{both} at {distance}");
    }
}

#[test]
fn nothing_and_everything_are_exact() {
    for (share, expected) in [(0.0, 0), (100.0, 10_000)] {
        let impairment = Impairment {
            loss: Percent(share),
            ..Impairment::NONE
        };
        assert_eq!(hits(&lost(&impairment, 1, 10_000)), expected);
    }
}

#[test]
fn bursts_follow_the_model() {
    const N: usize = 200_000;
    let (share, length) = (2.0, 5.0);
    let impairment = Impairment {
        loss_bursts: Some(GilbertElliott::of(Percent(share), length)),
        ..Impairment::NONE
    };
    let fates = lost(&impairment, 3, N);
    let bursts: Vec<usize> = fates
        .chunk_by(|a, b| a == b)
        .filter(|run| run[0])
        .map(<[bool]>::len)
        .collect();
    let count = bursts.len() as f64;
    let mean = bursts.iter().sum::<usize>() as f64 / count;
    let deviation = (length * (length - 1.0)).sqrt() / count.sqrt();
    assert!(
        (mean - length).abs() < WIDTH * deviation,
        "bursts of {mean}"
    );
    // Lengths are geometric: each burst goes on with the same chance.
    for at_least in 1..10 {
        let there = bursts.iter().filter(|length| **length >= at_least).count();
        let go_on = bursts.iter().filter(|length| **length > at_least).count();
        assert!(
            is_likely(go_on, there, 1.0 - 1.0 / length),
            "after {at_least}"
        );
    }
    // A loss is followed by more than one: so much does the share vary.
    let inflated = WIDTH * (N as f64 * share / 100.0 * (2.0 * length - 1.0)).sqrt();
    let expected = N as f64 * share / 100.0;
    assert!((hits(&fates) as f64 - expected).abs() < inflated);
}

#[test]
fn losses_within_bursts_have_their_own_chance() {
    const N: usize = 200_000;
    let model = GilbertElliott {
        p: Percent(1.0),
        r: Percent(10.0),
        loss_in_bad: Percent(50.0),
        loss_in_good: Percent(0.5),
    };
    let impairment = Impairment {
        loss_bursts: Some(model),
        ..Impairment::NONE
    };
    let expected = 1.0 / 11.0 * 0.5 + 10.0 / 11.0 * 0.005;
    let share = hits(&lost(&impairment, 5, N)) as f64 / N as f64;
    assert!(
        (share - expected).abs() < 0.05 * expected,
        "{share} instead of {expected}"
    );
}

#[test]
fn duplicates_and_flipped_bits_are_as_many_as_asked_for() {
    const N: usize = 100_000;
    let impairment = Impairment {
        duplicate: Percent(3.0),
        corrupt: Percent(7.0),
        ..Impairment::NONE
    };
    let mut channel = Channel::new(&impairment, 11);
    let frame = frame(80, 114);
    let (mut twice, mut spoiled, mut bits) = (0, 0, vec![0; 100]);
    for now in 0..N as u64 {
        let fate = channel.admit(now, &frame);
        twice += usize::from(fate.second.is_some());
        if let Some((byte, mask)) = fate.first.and_then(|first| first.flip) {
            assert_eq!(mask.count_ones(), 1);
            spoiled += 1;
            bits[byte - 14] += 1;
        }
    }
    assert!(is_likely(twice, N, 0.03), "{twice}");
    assert!(is_likely(spoiled, N, 0.07), "{spoiled}");
    assert!(bits.iter().all(|hits| is_likely(*hits, spoiled, 0.01)));
    let counters = channel.counters();
    assert_eq!(counters.duplicated.packets, twice as u64);
    assert_eq!(counters.lost.total().packets, 0);
}

#[test]
fn one_chance_does_not_change_another() {
    let lossy = Impairment {
        loss: Percent(10.0),
        ..Impairment::NONE
    };
    let all = Impairment {
        corrupt: Percent(10.0),
        jitter: super::super::Jitter::uniform(super::Duration::from_millis(1)),
        ..Impairment::delayed(super::Duration::from_millis(5))
    };
    let all = Impairment {
        loss: lossy.loss,
        queue: super::super::QueueLimit::UNLIMITED,
        ..all
    };
    assert_eq!(lost(&lossy, 9, 5_000), lost(&all, 9, 5_000));
    assert_ne!(lost(&lossy, 9, 5_000), lost(&lossy, 10, 5_000));
}

#[test]
fn every_third_is_the_third_of_its_flow() {
    let impairment = Impairment {
        lose_every: Some(3),
        ..Impairment::NONE
    };
    let mut channel = Channel::new(&impairment, 1);
    let mut lost_of = |port, now| {
        let fate = channel.admit(now, &frame(port, 100));
        assert!(fate.cause.is_none_or(|cause| cause == Cause::Every));
        fate.cause.is_some()
    };
    // Two flows by turns: each counts for itself.
    let fates: Vec<[bool; 2]> = (0..9)
        .map(|turn| [lost_of(80, turn), lost_of(443, turn)])
        .collect();
    for (turn, fate) in fates.iter().enumerate() {
        assert_eq!(*fate, [turn % 3 == 2; 2], "{turn}");
    }
}
