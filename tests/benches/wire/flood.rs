//! Measures how much passes over a link, and how long that takes there and back.

use std::io::{Read, Write};
use std::thread;
use std::time::Instant;

use nix::time::ClockId;
use snowglobe::prelude::*;
use snowglobe_tests::cubic;

use crate::{MeasuredLink, asked, clock, quantile, tell};

const TIME: Duration = Duration::from_secs(1);

/// Measures `STREAMS` streams at once, in Gbit/s. They use cubic, for other congestion controls
/// pace themselves. With a `LOSS` in percent, however small, super-frames have to be cut.
#[snowglobe::test]
fn stream() -> TestResult {
    let pair = MeasuredLink::new(Impairment {
        loss: Percent(asked("LOSS", 0.0)),
        ..Impairment::NONE
    })?;
    let bob = &pair.lab[pair.nodes[1]];
    let listener = bob.run(|| cubic::listen((bob.ip(), 80)))?;
    let streams = asked("STREAMS", 1);
    let busy = clock(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    let mut works = Vec::new();
    for _ in 0..streams {
        let mut alice = pair.lab[pair.nodes[0]].run(|| cubic::connect((bob.ip(), 80)))?;
        let mut bob = listener.accept()?.0;
        let begin = Instant::now();
        works.push(thread::spawn(move || {
            let block = vec![7; 128 << 10];
            while begin.elapsed() < TIME && alice.write_all(&block).is_ok() {}
            0
        }));
        works.push(thread::spawn(move || {
            let mut block = vec![0; 256 << 10];
            let mut heard = 0;
            while let Ok(length @ 1..) = bob.read(&mut block) {
                heard += length;
            }
            heard
        }));
    }
    let begin = Instant::now();
    let heard: usize = works.into_iter().map(|work| work.join().unwrap_or(0)).sum();
    let gigabits = heard as f64 * 8.0 / 1e9;
    tell("gbit", gigabits / begin.elapsed().as_secs_f64());
    // Senders, receivers and the threads of wires. On a busy machine this tells more than the
    // throughput does.
    let took = clock(ClockId::CLOCK_PROCESS_CPUTIME_ID) - busy;
    tell("cpu_ms_a_gbit", took as f64 / 1e6 / gigabits);
    let lost = pair.link().counters(Direction::AToB)?.lost.total();
    tell("lost", lost.packets);
    Ok(())
}

/// Measures the smallest datagrams, in thousands that arrive in a second.
#[snowglobe::test]
fn datagrams() -> TestResult {
    let pair = MeasuredLink::new(Impairment::NONE)?;
    let [alice, bob] = pair.udp()?;
    bob.set_read_timeout(Some(Duration::from_millis(300)))?;
    let begin = Instant::now();
    let sender = thread::spawn(move || {
        while begin.elapsed() < TIME {
            // A refusal reports an overflow, which is provoked here.
            (0..16).for_each(|_| drop(alice.send(&[0; 18])));
        }
    });
    let (mut heard, mut last) = (0, begin);
    while bob.recv(&mut [0; 32]).is_ok() {
        heard += 1;
        if heard % 64 == 0 {
            last = Instant::now();
        }
    }
    sender.join().map_err(|_| "the sender panicked")?;
    tell(
        "kpps",
        f64::from(heard) / (last - begin).as_secs_f64() / 1e3,
    );
    Ok(())
}

/// Measures how long a datagram takes there and back again, in µs.
#[snowglobe::test]
fn round_trip() -> TestResult {
    const TIMES: usize = 10_000;
    let pair = MeasuredLink::new(Impairment::NONE)?;
    let [alice, bob] = pair.udp()?;
    let echo = thread::spawn(move || {
        for _ in 0..TIMES {
            let mut heard = [0; 32];
            let length = bob.recv(&mut heard).expect("a datagram");
            bob.send(&heard[..length]).expect("sent");
        }
    });
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begin = Instant::now();
        alice.send(&[0; 18])?;
        alice.recv(&mut [0; 32])?;
        times.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    echo.join().map_err(|_| "the echo panicked")?;
    times.sort_by(f64::total_cmp);
    tell("us", quantile(&times, 0.5));
    Ok(())
}
