//! The kernel's netem carries links, on a kernel that has it: `cargo xtask vm -- cargo test -p
//! snowglobe-tests --test wires netem`.
//!
//! An emulated machine is slow and not punctual: each duration has an exact bound below, and a wide
//! one above.

use std::io::ErrorKind;
use std::time::Instant;

use snowglobe::impair::{Cause, Counters, GilbertElliott, QueueLimit, Reorder, preset};
use snowglobe::lab::Carrier;
use snowglobe::prelude::*;
use snowglobe::topology::Engine;

use crate::fate::{balanced, is_likely, sent};
use crate::{MS, Pair, one_way};

/// Length of a frame with a thousand bytes of payload.
const FRAME: u64 = 1_000 + 8 + 20 + 14;

fn pair(impairment: Impairment) -> TestResult<Pair> {
    let pair = Pair::new(LinkSpec::from(impairment).engine(Engine::Netem))?;
    assert_eq!(pair.link().carrier(), Carrier::Netem);
    Ok(pair)
}

fn counters(pair: &Pair) -> TestResult<Counters> {
    Ok(pair.link().counters(Direction::AToB)?)
}

#[snowglobe::test(requires(netem, tbf))]
fn what_a_cut_dropped_does_not_count_for_the_next_carrier() -> TestResult {
    let pair = Pair::new(LinkSpec::new())?;
    assert_eq!(pair.link().carrier(), Carrier::Veth);
    let [a, b] = pair.sockets()?;
    let cut = pair.link().cut()?;
    for _ in 0..5 {
        a.send(b"lost")?;
    }
    cut.heal()?;
    pair.link().impair(Impairment::delayed(MS))?;
    assert_eq!(pair.link().carrier(), Carrier::Netem);
    a.send(b"hello")?;
    b.recv(&mut [0; 8])?;
    let counters = counters(&pair)?;
    assert_eq!(counters.lost.by(Cause::Cut).packets, 0, "{counters:?}");
    assert!(counters.delivered.packets > 0, "{counters:?}");
    Ok(())
}

#[snowglobe::test(requires(netem, tbf))]
fn each_direction_has_its_own_delay() -> TestResult {
    let spec = LinkSpec::from(Impairment::delayed(100 * MS))
        .impair_one_way(Direction::BToA, Impairment::delayed(10 * MS));
    let pair = Pair::new(spec)?;
    assert_eq!(pair.link().carrier(), Carrier::Netem);
    let [a, b] = pair.sockets()?;
    let (there, back) = (one_way(&a, &b, 5)?, one_way(&b, &a, 20)?);
    assert!((100 * MS..1000 * MS).contains(&there), "{there:?}");
    assert!((10 * MS..100 * MS).contains(&back), "{back:?}");
    Ok(())
}

#[snowglobe::test(requires(netem, tbf), timeout = "120s")]
fn each_direction_loses_its_own_share() -> TestResult {
    const COUNT: u32 = 2_000;
    let lossy = |share| Impairment {
        loss: Percent(share),
        ..Impairment::NONE
    };
    let spec = LinkSpec::from(lossy(5.0)).impair_one_way(Direction::BToA, lossy(30.0));
    let pair = Pair::new(spec.engine(Engine::Netem))?;
    for (direction, share) in [(Direction::AToB, 0.05), (Direction::BToA, 0.3)] {
        let lost = COUNT as usize - sent(&pair, direction, COUNT, 64)?.len();
        assert!(is_likely(lost, COUNT, share), "{lost} lost, {direction}");
        let counters = pair.link().counters(direction)?;
        assert_eq!(counters.lost.by(Cause::Loss).packets, lost as u64);
        assert_eq!(counters.lost.total().bytes, lost as u64 * (64 + 42));
        assert!(balanced(&counters), "{counters:?}");
    }
    Ok(())
}

#[snowglobe::test(requires(netem, tbf), timeout = "120s")]
fn bursts_are_as_long_as_the_model_says() -> TestResult {
    const COUNT: u32 = 4_000;
    let pair = pair(Impairment {
        loss_bursts: Some(GilbertElliott::of(Percent(10.0), 5.0)),
        ..Impairment::NONE
    })?;
    let arrived = sent(&pair, Direction::AToB, COUNT, 64)?;
    let lost = COUNT - arrived.len() as u32;
    let ends = arrived.iter().copied().chain([COUNT]);
    let starts = [0]
        .into_iter()
        .chain(arrived.iter().map(|number| number + 1));
    let bursts = starts.zip(ends).filter(|(start, end)| start < end).count();
    let mean = f64::from(lost) / bursts as f64;
    // There are some 80 geometric lengths of mean 5, whose standard deviation is 4.5.
    assert!((3.3..6.7).contains(&mean), "bursts of {mean} on average");
    assert_eq!(
        counters(&pair)?.lost.by(Cause::Burst).packets,
        u64::from(lost)
    );
    Ok(())
}

#[snowglobe::test(requires(netem, tbf))]
fn a_rate_holds_and_a_full_queue_drops() -> TestResult {
    let pair = pair(Impairment {
        rate: Some(Rate::mbit(1)),
        queue: QueueLimit::packets(20),
        ..Impairment::NONE
    })?;
    let [a, b] = pair.sockets()?;
    let start = Instant::now();
    for _ in 0..200 {
        a.send(&[0; 1000])?;
    }
    let all_sent = start.elapsed();
    pair.wait_for(Direction::AToB, |counters| {
        counters.sent.packets == 200 && counters.queued.packets == 0
    })?;
    let (took, counters) = (start.elapsed(), counters(&pair)?);
    let line = |packets| Duration::from_nanos(packets * FRAME * 8 * 1000);
    assert!(
        took >= line(counters.delivered.packets),
        "{took:?} {counters:?}"
    );
    // No more can arrive than the queue holds and than passed meanwhile.
    let most = 21 + all_sent.as_nanos() as u64 / line(1).as_nanos() as u64;
    assert!(
        (20..=most).contains(&counters.delivered.packets),
        "{all_sent:?} {counters:?}"
    );
    assert_eq!(counters.lost.total(), counters.lost.queue);
    assert!(balanced(&counters), "{counters:?}");
    b.set_nonblocking(true)?;
    let heard = std::iter::from_fn(|| b.recv(&mut [0; 1500]).ok()).count();
    assert_eq!(heard as u64, counters.delivered.packets);
    Ok(())
}

#[snowglobe::test(requires(netem, tbf))]
fn a_burst_passes_at_once_and_the_rest_at_the_rate() -> TestResult {
    let pair = pair(Impairment {
        rate: Some(Rate::kbit(32)),
        burst: Some(10 * FRAME as u32),
        ..Impairment::NONE
    })?;
    let [a, b] = pair.sockets()?;
    let start = Instant::now();
    for _ in 0..20 {
        a.send(&[0; 1000])?;
    }
    let mut times = Vec::new();
    for _ in 0..20 {
        b.recv(&mut [0; 1500])?;
        times.push(start.elapsed());
    }
    let line = |packets: u64| Duration::from_nanos(packets * FRAME * 8 * 1_000_000 / 32);
    assert!(times[9] < line(9), "ten at once: {times:?}");
    assert!(times[19] >= line(10), "ten by and by: {times:?}");
    Ok(())
}

#[snowglobe::test(requires(netem, tbf))]
fn each_fifth_packet_overtakes_and_every_copy_is_counted() -> TestResult {
    let pair = pair(Impairment {
        reorder: Reorder {
            gap: 5,
            ..Reorder::independent(Percent(100.0))
        },
        // The delay is longer than the machine takes for the packets of a lot.
        ..Impairment::delayed(3000 * MS)
    })?;
    let arrived = sent(&pair, Direction::AToB, 20, 64)?;
    let is_fifth = |number: &u32| number % 5 == 4;
    let (early, late): (Vec<u32>, Vec<u32>) = (0..20).partition(is_fifth);
    assert_eq!(arrived, [early, late].concat());
    assert_eq!(counters(&pair)?.reordered.packets, 4);

    pair.link().impair(Impairment {
        duplicate: Percent(100.0),
        ..Impairment::NONE
    })?;
    let arrived = sent(&pair, Direction::AToB, 20, 64)?;
    let twice: Vec<u32> = (0..20).flat_map(|number| [number, number]).collect();
    assert_eq!(arrived, twice);
    let counters = counters(&pair)?;
    assert_eq!(counters.duplicated.packets, 20);
    assert_eq!(counters.sent.packets, 40);
    assert!(balanced(&counters), "{counters:?}");
    Ok(())
}

#[snowglobe::test(requires(netem, tbf))]
fn what_is_corrupt_does_not_arrive_as_it_was_not_sent() -> TestResult {
    const COUNT: u32 = 200;
    let pair = pair(Impairment {
        corrupt: Percent(100.0),
        ..Impairment::NONE
    })?;
    let arrived = sent(&pair, Direction::AToB, COUNT, 400)?;
    // Only a flipped bit in the sender's hardware address leaves a datagram as it was sent.
    assert!(arrived.len() < 20, "{arrived:?}");
    assert!(arrived.is_sorted() && arrived.iter().all(|number| *number < COUNT));
    assert_eq!(counters(&pair)?.delivered.packets, u64::from(COUNT));
    Ok(())
}

/// TCP hands over batches of 64 KB, which are single packets on the link.
#[snowglobe::test(requires(netem, tbf), timeout = "120s")]
fn batches_are_cut_into_packets_before_anything_is_done_to_them() -> TestResult {
    const LENGTH: usize = 1 << 20;
    let pair = pair(Impairment::delayed(MS))?;
    let [mut from, mut to] = pair.connection(80)?;
    let sender = std::thread::spawn(move || from.write_all(&vec![7; LENGTH]));
    let mut heard = Vec::new();
    to.read_to_end(&mut heard)?;
    sender.join().expect("the sender does not panic")?;
    assert_eq!(heard.len(), LENGTH);
    let counters = counters(&pair)?;
    let largest = 1500 - 20 - 20;
    assert!(
        counters.delivered.packets as usize >= LENGTH / largest,
        "{counters:?}"
    );
    Ok(())
}

#[snowglobe::test(requires(netem, tbf))]
fn what_is_under_way_arrives_as_it_was_decided() -> TestResult {
    let pair = pair(Impairment::delayed(3000 * MS))?;
    let [a, b] = pair.sockets()?;
    let start = Instant::now();
    a.send(b"slow")?;
    pair.wait_for(Direction::AToB, |counters| counters.queued.packets == 1)?;
    pair.link().impair(Impairment::NONE)?;
    a.send(b"quick")?;
    let mut heard = [0; 8];
    for word in [&b"quick"[..], b"slow"] {
        let length = b.recv(&mut heard)?;
        assert_eq!(&heard[..length], word);
    }
    assert!(start.elapsed() >= 3000 * MS);
    let worse = pair.link().degrade(Impairment::delayed(100 * MS))?;
    assert!(one_way(&a, &b, 3)? >= 100 * MS);
    drop(worse);
    assert!(one_way(&a, &b, 100)? < 100 * MS);
    Ok(())
}

#[snowglobe::test(requires(netem, tbf))]
fn a_cut_takes_what_is_under_way_and_what_is_sent_meanwhile() -> TestResult {
    // The delay is longer than it takes to cut the link.
    let spec = LinkSpec::new().impair_one_way(Direction::AToB, Impairment::delayed(3000 * MS));
    let pair = Pair::new(spec.engine(Engine::Netem))?;
    let [a, b] = pair.sockets()?;
    a.send(b"under way")?;
    pair.wait_for(Direction::AToB, |counters| counters.queued.packets == 1)?;
    let cut = pair.link().cut_one_way(Direction::AToB)?;
    a.send(b"meanwhile")?;
    one_way(&b, &a, 1)?; // The other direction is whole.
    pair.wait_for(Direction::AToB, |counters| counters.lost.cut.packets == 2)?;
    cut.heal()?;
    assert!(one_way(&a, &b, 1)? >= 3000 * MS);
    let counters = counters(&pair)?;
    assert_eq!((counters.sent.packets, counters.delivered.packets), (3, 1));
    assert!(balanced(&counters), "{counters:?}");
    Ok(())
}

#[snowglobe::test(requires(netem, tbf), timeout = "120s")]
fn each_preset_is_carried() -> TestResult {
    for (name, link) in preset::all() {
        let up = link.up.clone();
        let pair = Pair::new(LinkSpec::from(link).engine(Engine::Netem))?;
        assert_eq!(pair.link().carrier(), Carrier::Netem, "{name}");
        assert_eq!(pair.link().impairment(Direction::AToB), up, "{name}");
    }
    Ok(())
}

#[snowglobe::test(requires(netem, tbf))]
fn what_netem_cannot_do_is_refused_by_name_or_done_by_another() -> TestResult {
    let slow = Impairment::delayed(50 * MS);
    let small = Impairment {
        mtu: Some(1400),
        ..slow.clone()
    };
    let forced = pair(slow.clone())?;
    let error = forced.link().impair(small.clone()).unwrap_err().to_string();
    assert_eq!(
        error,
        "link `alice–bob`, a→b, cannot be carried by netem: `mtu`, which netem has no word for; take `Engine::Auto` or `Engine::Wire`"
    );
    let [a, b] = forced.sockets()?;
    assert!(one_way(&a, &b, 3)? >= 50 * MS, "it is as before");
    forced
        .link()
        .rule(udp(), Verdict::Drop)
        .map(drop)
        .unwrap_err();

    let free = Pair::new(slow)?;
    assert_eq!(free.link().carrier(), Carrier::Netem);
    let [a, b] = free.sockets()?;
    assert!(one_way(&a, &b, 3)? >= 50 * MS);
    free.link().impair(small)?;
    assert!(![Carrier::Netem, Carrier::Veth].contains(&free.link().carrier()));
    a.send(&[0; 1400])?;
    assert!(one_way(&a, &b, 3)? >= 50 * MS - crate::EARLY);
    b.set_read_timeout(Some(200 * MS))?;
    assert_eq!(
        b.recv(&mut [0; 1500]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    Ok(())
}
