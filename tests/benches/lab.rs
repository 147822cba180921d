//! What labs cost: each trial prints its figures, one a line, as `name value`.
//!
//! `NODES` says how many nodes the star has, `AFTER` that it is watched when it is there, and `STREAM` where the program of
//! `stream.c` is.

use std::fmt::Display;
use std::time::{Duration, Instant};

use snowglobe::prelude::*;

fn tell(name: &str, value: impl Display) {
    println!("{name} {value}");
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// A star, from the topology to the last packet that could pass; and its end.
#[snowglobe::test(timeout = "120s")]
fn star() -> TestResult {
    let nodes = std::env::var("NODES")?.parse()?;
    let topology = shape::star(nodes);
    let ticks = system_ticks()?;
    let begin = Instant::now();
    let lab = topology.start()?;
    tell("start", milliseconds(begin));
    if std::env::var_os("AFTER").is_some() {
        // Nobody waits for anything here: it is the time that is looked at.
        const LOOK: Duration = Duration::from_secs(6);
        let there = system_ticks()?;
        tell("cost", there - ticks);
        std::thread::sleep(LOOK);
        tell("after", system_ticks()? - there);
    }
    let begin = Instant::now();
    drop(lab);
    tell("drop", milliseconds(begin));
    Ok(())
}

/// What all cores have spent in the kernel until now, in ticks of ten milliseconds.
fn system_ticks() -> TestResult<u64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let all = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = all
        .split_whitespace()
        .skip(1)
        .map_while(|field| field.parse().ok())
        .collect();
    // In system calls and threads of the kernel, in interrupts, and in what follows those.
    Ok([2, 5, 6]
        .iter()
        .filter_map(|field| fields.get(*field))
        .sum())
}

/// A closure in a node, in microseconds.
#[snowglobe::test]
fn visit() -> TestResult {
    const VISITS: usize = 1000;
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    alice.run(|| ());
    let mut times: Vec<f64> = (0..VISITS)
        .map(|_| {
            let begin = Instant::now();
            alice.run(|| ());
            milliseconds(begin) * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    tell("run", times[VISITS / 2]);
    Ok(())
}

/// A TCP stream over a link; its receiver says how fast it was.
#[snowglobe::test]
fn stream() -> TestResult {
    let program = std::env::var("STREAM")?;
    let lab = shape::pair().start()?;
    let [alice, bob] = [lab.node("alice"), lab.node("bob")];
    let (alice, bob) = (alice.ok_or("alice")?, bob.ok_or("bob")?);
    let mut server = bob.command(&program).args(["serve", "5201"]).spawn()?;
    server.wait_for_log("listening")?;
    let to = bob.ip().to_string();
    let sent = alice
        .command(&program)
        .args(["send", &to, "5201", "1000"])
        .status()?;
    assert!(sent.success());
    assert!(server.wait()?.success());
    Ok(())
}

snowglobe::main!();
