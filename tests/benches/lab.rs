//! What labs cost: each trial prints one figure a line, in microseconds, as `name value`.
//!
//! `NODES` says how many nodes the star has.

use std::time::Instant;

use snowglobe::prelude::*;

fn nodes() -> usize {
    let wanted = std::env::var("NODES")
        .ok()
        .and_then(|text| text.parse().ok());
    wanted.unwrap_or(10)
}

fn tell(name: &str, since: Instant, times: u32) {
    println!(
        "{name} {:.1}",
        since.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    );
}

/// A star, from the topology to the last packet that could pass; and its end.
#[snowglobe::test(timeout = "120s")]
fn star() -> TestResult {
    let topology = shape::star(nodes());
    let begin = Instant::now();
    let lab = topology.start()?;
    tell("start", begin, 1);
    let begin = Instant::now();
    drop(lab);
    tell("drop", begin, 1);
    Ok(())
}

/// A closure in a node.
#[snowglobe::test]
fn visit() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    alice.run(|| ());
    let begin = Instant::now();
    for _ in 0..1000 {
        alice.run(|| ());
    }
    tell("run", begin, 1000);
    Ok(())
}

snowglobe::main!();
