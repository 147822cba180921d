//! Whether packets come out when they should: delays, jitter, order, rates.

use std::time::Duration;

use super::super::channel::{Channel, Delivery};
use super::super::{Impairment, Jitter, JitterTable, Percent, QueueLimit, Rate, Reorder};
use super::frame;

const MS: u64 = 1_000_000;

/// Returns the fates of `n` packets that come at this interval in nanoseconds.
fn deliveries(impairment: &Impairment, n: u64, apart: u64) -> Vec<(u64, Delivery)> {
    let unlimited = Impairment {
        queue: QueueLimit::UNLIMITED,
        ..impairment.clone()
    };
    let mut channel = Channel::new(&unlimited, 17);
    let frame = frame(80, 1000);
    let first = |at| channel.admit(at, &frame).first.expect("nothing is lost");
    (0..n)
        .map(|turn| turn * apart)
        .zip((0..n).map(|turn| turn * apart).map(first))
        .collect()
}

/// Returns whether, by the Kolmogorov–Smirnov test at 0.1 %, samples are of a distribution.
fn are_distributed(mut samples: Vec<f64>, below: impl Fn(f64) -> f64) -> bool {
    samples.sort_by(f64::total_cmp);
    let n = samples.len() as f64;
    let distance = samples.iter().enumerate().map(|(rank, sample)| {
        let expected = below(*sample);
        let (before, after) = (rank as f64 / n, (rank + 1) as f64 / n);
        (expected - before).abs().max((after - expected).abs())
    });
    distance.fold(0.0, f64::max) * n.sqrt() < 1.95
}

fn jitters(jitter: Jitter) -> Vec<f64> {
    let impairment = Impairment {
        jitter,
        ..Impairment::delayed(Duration::from_millis(100))
    };
    let delay = |(sent, delivery): (u64, Delivery)| (delivery.due - sent) as f64 - 100e6;
    deliveries(&impairment, 20_000, MS)
        .into_iter()
        .map(delay)
        .collect()
}

/// Returns the normal distribution's function, by Abramowitz and Stegun 26.2.17: good to 10⁻⁷.
fn normal(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let sum = poly
        .iter()
        .rev()
        .fold(0.0, |sum, factor| t * (factor + sum));
    let tail = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum;
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[test]
fn jitter_has_its_distribution() {
    let five = Duration::from_millis(5);
    let uniform = jitters(Jitter::uniform(five));
    assert!(are_distributed(uniform.clone(), |x| ((x + 5e6) / 10e6).clamp(0.0, 1.0)));
    let bell = jitters(Jitter::normal(five));
    assert!(are_distributed(bell.clone(), |x| normal(x / 5e6)));
    // The test can tell them apart.
    assert!(!are_distributed(uniform, |x| normal(x / 5e6)));
    assert!(!are_distributed(bell, |x| normal(x / 5.3e6)));

    // A table of two values has two delays, as often as each other.
    let two = JitterTable::new([-8192, 8192]).expect("a table");
    let two = jitters(Jitter::table(five, two));
    let early = two.iter().filter(|delay| **delay == -5e6).count();
    assert!(two.iter().all(|delay| delay.abs() == 5e6));
    assert!((9_700..10_300).contains(&early), "{early}");
}

#[test]
fn paretos_tail_is_long_and_to_one_side() {
    let mut delays = jitters(Jitter::pareto(Duration::from_millis(1)));
    delays.sort_by(f64::total_cmp);
    let quantile = |share: f64| delays[(share * delays.len() as f64) as usize] / 1e6;
    assert!(delays[0] > -0.7e6, "{}", delays[0]);
    assert!((-0.4..0.0).contains(&quantile(0.5)), "{}", quantile(0.5));
    assert!((3.0..4.01).contains(&quantile(0.99)), "{}", quantile(0.99));
}

#[test]
fn a_delay_is_never_less_than_nothing() {
    let impairment = Impairment {
        jitter: Jitter::uniform(Duration::from_millis(50)),
        ..Impairment::delayed(Duration::from_millis(1))
    };
    let all = deliveries(&impairment, 1_000, MS);
    assert!(all.iter().all(|(sent, delivery)| delivery.due >= *sent));
}

#[test]
fn gaps_between_reordered_packets_are_those_of_independent_chances() {
    let impairment = Impairment {
        reorder: Reorder::independent(Percent(20.0)),
        ..Impairment::delayed(Duration::from_millis(10))
    };
    let all = deliveries(&impairment, 100_000, MS);
    let at_once = |(turn, (sent, delivery)): (usize, &(u64, Delivery))| {
        (delivery.due == *sent).then_some(turn)
    };
    let turns: Vec<usize> = all.iter().enumerate().filter_map(at_once).collect();
    // A discrete distribution, spread evenly over its steps, is a continuous one.
    let gaps = turns.windows(2).enumerate().map(|(number, pair)| {
        let within = (number as f64 * 0.618_033_988_75).fract();
        (pair[1] - pair[0]) as f64 - within
    });
    let geometric = |x: f64| {
        let whole = x.floor();
        let until = |n: f64| 1.0 - 0.8_f64.powf(n);
        until(whole) + (until(whole + 1.0) - until(whole)) * (x - whole)
    };
    assert!(are_distributed(gaps.clone().collect(), geometric));
    assert!(!are_distributed(
        gaps.map(|gap| gap * 1.05).collect(),
        geometric
    ));
    let overtaking = all
        .iter()
        .filter(|(_, delivery)| delivery.reordered)
        .count();
    assert_eq!(
        overtaking,
        turns.len() - turns.iter().filter(|turn| **turn == 0).count()
    );
}

#[test]
fn a_gap_is_kept_and_a_correlation_makes_rows() {
    let with = |percent, correlation, gap| {
        let impairment = Impairment {
            reorder: Reorder {
                percent: Percent(percent),
                correlation: Percent(correlation),
                gap,
            },
            ..Impairment::delayed(Duration::from_millis(10))
        };
        let all = deliveries(&impairment, 50_000, MS);
        all.iter()
            .map(|(sent, delivery)| delivery.due == *sent)
            .collect::<Vec<bool>>()
    };
    let fifth = with(100.0, 0.0, 5);
    assert!(
        fifth
            .iter()
            .enumerate()
            .all(|(turn, at_once)| *at_once == (turn % 5 == 4))
    );
    let rows = |fates: &[bool]| {
        let hits = fates.iter().filter(|hit| **hit).count();
        hits as f64 / fates.chunk_by(|a, b| a == b).filter(|run| run[0]).count() as f64
    };
    let share = |fates: &[bool]| fates.iter().filter(|hit| **hit).count() as f64 / 50_000.0;
    let (loose, tight) = (with(25.0, 0.0, 0), with(25.0, 60.0, 0));
    assert!((share(&loose) - 0.25).abs() < 0.01 && (share(&tight) - 0.25).abs() < 0.015);
    // One goes on with 25 %, and with 60 % + 40 % of 25 %: rows of 1 / (1 − that).
    assert!((rows(&loose) - 1.0 / 0.75).abs() < 0.03, "{}", rows(&loose));
    assert!((rows(&tight) - 1.0 / 0.30).abs() < 0.2, "{}", rows(&tight));
}

#[test]
fn rates_hold_from_modems_to_gigabits() {
    for rate in [
        Rate::kbit(256),
        Rate::mbit(1),
        Rate::mbit(33),
        Rate::gbit(1),
    ] {
        for burst in [None, Some(20_000)] {
            let impairment = Impairment {
                rate: Some(rate),
                burst,
                ..Impairment::delayed(Duration::from_millis(7))
            };
            const N: u64 = 5_000;
            let all = deliveries(&impairment, N, 0);
            let last = all
                .iter()
                .map(|(_, delivery)| delivery.due)
                .max()
                .expect("some");
            let bits = N * 1000 * 8 - u64::from(burst.unwrap_or(0)) * 8;
            let took = (last - 7 * MS) as f64 / 1e9;
            let measured = bits as f64 / took;
            let error = measured / rate.as_bit() as f64 - 1.0;
            assert!(error.abs() < 0.001, "{rate}, burst {burst:?}: {error}");
            let in_order = all.is_sorted_by_key(|(_, delivery)| delivery.due);
            assert!(in_order, "what waits stays in order");
        }
    }
}

#[test]
fn a_pause_saves_no_more_than_a_burst() {
    let impairment = Impairment {
        rate: Some(Rate::mbit(8)),
        burst: Some(3_000),
        ..Impairment::NONE
    };
    let mut channel = Channel::new(&impairment, 1);
    let frame = frame(80, 1000);
    let mut due = |at| channel.admit(at, &frame).first.expect("it passes").due;
    // A byte takes a microsecond. Three packets pass at once, the others wait.
    assert_eq!([due(0), due(0), due(0), due(0)], [0, 0, 0, MS]);
    let later = 1000 * MS;
    assert_eq!([due(later), due(later), due(later)], [later; 3]);
    assert_eq!(due(later), later + MS);
}

#[test]
fn a_change_lets_what_is_under_way_be() {
    let mut channel = Channel::new(&Impairment::delayed(Duration::from_millis(50)), 1);
    let frame = frame(80, 1000);
    let slow = channel.admit(0, &frame).first.expect("it passes");
    channel.change(&Impairment::NONE, MS);
    let quick = channel.admit(2 * MS, &frame).first.expect("it passes");
    assert_eq!((slow.due, quick.due), (50 * MS, 2 * MS));
    assert!(quick.reordered);
}
