//! Measures whether a link does what its impairment says.

use std::thread;
use std::time::Instant;

use snowglobe::impair::Cause;
use snowglobe::prelude::*;

use crate::{MeasuredLink, asked, now, tell};

/// Counts how many of 50,000 datagrams in each direction are lost, of `PERCENT`.
#[snowglobe::test]
fn loss() -> TestResult {
    const COUNT: u64 = 50_000;
    const BATCH: u64 = 500;
    let percent = asked("PERCENT", 5.0);
    let pair = MeasuredLink::new(Impairment {
        loss: Percent(percent),
        ..Impairment::NONE
    })?;
    let [alice, bob] = pair.udp()?;
    for (name, socket, direction) in [
        ("there", &alice, Direction::AToB),
        ("back", &bob, Direction::BToA),
    ] {
        let counters = || pair.link().counters(direction);
        let before = counters()?.sent.packets;
        // A batch never holds more than the queue of a device. Nobody listens at the other end, for
        // only the wire is measured.
        for sent in (BATCH..=COUNT).step_by(BATCH as usize) {
            for number in 0..BATCH {
                socket.send(&number.to_ne_bytes())?;
            }
            let all_came = || counters().is_ok_and(|it| it.sent.packets - before >= sent);
            pair.lab.wait_until(all_came)?;
        }
        let after = counters()?;
        tell(name, after.lost.by(Cause::Loss).packets);
        tell("sent", after.sent.packets);
    }
    Ok(())
}

/// Measures what arrives in a second at a rate of `RATE` bit/s, whole Ethernet frames counted.
#[snowglobe::test]
fn rate() -> TestResult {
    const PAYLOAD: usize = 1472;
    const FRAME: f64 = (PAYLOAD + 42) as f64 * 8.0;
    let rate: u64 = asked("RATE", 10_000_000);
    let pair = MeasuredLink::new(Impairment {
        rate: Some(Rate::bit(rate)),
        ..Impairment::NONE
    })?;
    let [alice, bob] = pair.udp()?;
    nix::sys::socket::setsockopt(&bob, nix::sys::socket::sockopt::RcvBuf, &(16 << 20))?;
    // The count has a minimum, so that slow rates have enough frames and time as well.
    let count = (rate as f64 / FRAME).max(60.0) as usize;
    let begin = Instant::now();
    let (mut sent, interval) = (0.0, Duration::from_millis(1));
    let sender = thread::spawn(move || {
        // A quarter more is sent than passes, until the other end has heard enough and is gone.
        let ahead = 1.25 * rate as f64 / FRAME;
        while begin.elapsed() < Duration::from_secs(30) {
            while sent < 2.0 + ahead * begin.elapsed().as_secs_f64() {
                if alice.send(&[0; PAYLOAD]).is_err() {
                    return;
                }
                sent += 1.0;
            }
            thread::sleep(interval);
        }
    });
    bob.recv(&mut [0; PAYLOAD])?;
    let first = now();
    for _ in 0..count {
        bob.recv(&mut [0; PAYLOAD])?;
    }
    let took = (now() - first) as f64 / 1e9;
    tell("bits", count as f64 * FRAME / took);
    // Without a receiver the next datagram is refused, which ends the sender.
    drop(bob);
    sender.join().map_err(|_| "the sender panicked".into())
}
