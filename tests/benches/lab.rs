//! Measures what labs cost: each trial prints its figures, one a line, as `name value`.
//!
//! `NODES` sets the number of nodes of the star. `AFTER` makes the trial watch the star once it is
//! there. `STREAM` names the program of `stream.c`. `TEMPLATE` names the directory that a volume
//! clones.

use std::fmt::Display;
use std::time::{Duration, Instant};

use snowglobe::prelude::*;

fn tell(name: &str, value: impl Display) {
    println!("{name} {value}");
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Measures a star, from the topology to the last packet that could pass, and its end.
#[snowglobe::test(timeout = "120s")]
fn star() -> TestResult {
    let nodes = std::env::var("NODES")?.parse()?;
    let topology = shape::star(nodes);
    let ticks = system_ticks()?;
    let begin = Instant::now();
    let lab = topology.start()?;
    tell("start", milliseconds(begin));
    if std::env::var_os("AFTER").is_some() {
        // The trial waits for nothing here: the time itself is what is watched.
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

/// Returns what all cores have spent in the kernel until now, in ticks of ten milliseconds.
fn system_ticks() -> TestResult<u64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let all = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = all
        .split_whitespace()
        .skip(1)
        .map_while(|field| field.parse().ok())
        .collect();
    // The fields are `system`, `irq` and `softirq` of `/proc/stat` (`proc(5)`).
    Ok([2, 5, 6]
        .iter()
        .filter_map(|field| fields.get(*field))
        .sum())
}

/// Measures a closure in a node, in microseconds.
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

/// Measures a TCP stream over a link; its receiver prints how fast it was.
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

/// Measures the clone of a directory as the volume of a node: the start of a lab with the clone,
/// and the bytes that the clone takes before anything is written. The start of a lab without a
/// clone is part of that figure: the difference of two starts was below zero on a busy machine.
#[snowglobe::test]
fn clone() -> TestResult {
    let template = std::path::PathBuf::from(std::env::var("TEMPLATE")?);
    let used = || -> TestResult<u64> {
        let output = std::process::Command::new("df")
            .args(["--output=used", "-B1", "/run"])
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        Ok(text
            .lines()
            .nth(1)
            .ok_or("no second line")?
            .trim()
            .parse()?)
    };
    let start = |volume: Option<Volume>| -> TestResult<(f64, Lab)> {
        let mut topology = Topology::new();
        let node = NodeSpec::new("database");
        topology.node(match volume {
            Some(volume) => node.volume("/tmp/data", volume),
            None => node,
        });
        let begin = Instant::now();
        let lab = topology.start()?;
        Ok((milliseconds(begin), lab))
    };
    // The first lab of a process pays for what later ones find.
    drop(start(None)?);
    let before = used()?;
    let (with_clone, lab) = start(Some(Volume::clone_of(template)))?;
    tell("clone", with_clone);
    tell("bytes", used()?.saturating_sub(before));
    drop(lab);
    Ok(())
}
