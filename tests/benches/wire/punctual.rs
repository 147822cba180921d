//! Measures how punctual deliveries are.

use std::thread;
use std::time::Instant;

use nix::sys::socket::{setsockopt, sockopt};
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;

use crate::{MeasuredLink, asked, carried, now, quantile, tell};

/// Prints how much longer datagrams took than they should have, in µs.
fn report(mut errors: Vec<f64>) {
    errors.sort_by(f64::total_cmp);
    tell("p1", quantile(&errors, 0.01));
    tell("p50", quantile(&errors, 0.5));
    tell("p99", quantile(&errors, 0.99));
}

/// Receives so many datagrams, each with the time at which it was sent. Returns how much longer
/// than `delay` each took, in µs.
fn errors(socket: &UdpSocket, count: usize, delay: Duration) -> TestResult<Vec<f64>> {
    let mut errors = Vec::with_capacity(count);
    for _ in 0..count {
        let mut sent = [0; 8];
        socket.recv(&mut sent)?;
        let took = (now() - u64::from_ne_bytes(sent)) as f64;
        errors.push((took - delay.as_nanos() as f64) / 1e3);
    }
    Ok(errors)
}

/// Measures one datagram every few milliseconds over a link with a delay of `MS` milliseconds;
/// `SPIN` is 1 to spin.
#[snowglobe::test]
fn one_way() -> TestResult {
    const COUNT: usize = 500;
    let delay = Duration::from_millis(asked("MS", 10));
    let pair = MeasuredLink::new(Impairment::delayed(delay))?;
    if asked("SPIN", 0) == 1 {
        pair.link().spin(true)?;
    }
    let [alice, bob] = pair.udp()?;
    let sender = thread::spawn(move || {
        for number in 0..COUNT as u64 {
            // The pause varies, so that datagrams never come in step with a timer.
            thread::sleep(Duration::from_micros(3000 + number * 377 % 2000));
            alice.send(&now().to_ne_bytes()).expect("sent");
        }
    });
    report(errors(&bob, COUNT, delay)?);
    sender.join().map_err(|_| "the sender panicked".into())
}

/// Measures a hundred datagrams a second over each of 200 links with a delay of 5 ms.
#[snowglobe::test(timeout = "120s")]
fn crowd() -> TestResult {
    const LINKS: usize = 200;
    const ROUNDS: usize = 300;
    const PARTS: usize = 10;
    const PAUSE: Duration = Duration::from_micros(50);
    let delay = Duration::from_millis(5);
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let centre = topology.node("centre");
    topology.plug(centre, lan);
    let nodes: Vec<NodeId> = (0..LINKS)
        .map(|number| {
            let node = topology.node(format!("n{number}"));
            topology.plug_with(node, lan, carried(Impairment::delayed(delay)));
            node
        })
        .collect();
    let lab = topology.start()?;
    let centre = &lab[centre];
    let bob = centre.run(|| UdpSocket::bind((centre.ip(), 7)))?;
    bob.set_read_timeout(Some(Duration::from_secs(2)))?;
    // So many bytes may come while the machine does something else.
    setsockopt(&bob, sockopt::RcvBuf, &(1 << 20))?;
    let to = bob.local_addr()?;
    let sockets: Vec<UdpSocket> = nodes
        .iter()
        .map(|id| lab[*id].run(|| UdpSocket::bind((lab[*id].ip(), 7))))
        .collect::<std::io::Result<_>>()?;
    // The first packet of each node waits for an answer to its ARP request.
    for socket in &sockets {
        socket.send_to(&now().to_ne_bytes(), to)?;
        errors(&bob, 1, delay)?;
    }
    let sender = thread::spawn(move || {
        // One after the other, as packets of so many independent senders are.
        let begin = Instant::now();
        let all = (0..ROUNDS).flat_map(|_| &sockets);
        for (number, socket) in (0..).zip(all) {
            thread::sleep((PAUSE * number).saturating_sub(begin.elapsed()));
            socket.send_to(&now().to_ne_bytes(), to).expect("sent");
        }
    });
    let errors = errors(&bob, LINKS * ROUNDS, delay)?;
    // A machine that is itself a guest is stopped by its host now and then, for several
    // milliseconds. That spoils one part of the time only.
    let mut tails: Vec<f64> = errors
        .chunks(errors.len() / PARTS)
        .map(|part| {
            let mut part = part.to_vec();
            part.sort_by(f64::total_cmp);
            quantile(&part, 0.99)
        })
        .collect();
    tails.sort_by(f64::total_cmp);
    tell("p99_of_a_part", quantile(&tails, 0.5));
    report(errors);
    sender.join().map_err(|_| "the sender panicked".into())
}
