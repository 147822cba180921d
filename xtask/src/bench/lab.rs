//! Labs against the floor: a star by hand-written netlink, with network namespaces and nothing else.

use std::process::Command;

use super::measure::{Contestant, in_turns};
use super::{Row, Target};
use crate::cargo::programs;

/// How many nodes the stars have.
const SIZES: [usize; 5] = [2, 10, 50, 200, 1000];

/// `topology.start()` of stars, `run` in a node, `drop` of a lab.
pub(crate) fn lab(rounds: usize) -> Result<Vec<Row>, String> {
    let ours = built(
        &[
            "bench",
            "--no-run",
            "--quiet",
            "-p",
            "snowglobe-tests",
            "--bench",
            "lab",
        ],
        "lab",
    )?;
    let floor = built(
        &[
            "build",
            "--release",
            "--quiet",
            "-p",
            "snowglobe",
            "--example",
            "star",
        ],
        "star",
    )?;
    let mut rows = Vec::new();
    for size in SIZES {
        let nodes = size.to_string();
        let mut contestants: Vec<Contestant<'_>> = vec![
            Box::new(|| ours_says(&ours, "star", "start", &nodes).map(|us| us / 1e3)),
            Box::new(|| floor_says(&floor, &nodes)),
        ];
        let medians = in_turns(rounds, &mut contestants)?;
        rows.push(row(
            format!("start of a star of {size} vs a netlink floor"),
            "ms",
            medians[0],
            medians[1],
            1.3,
        ));
    }
    let mut figures: Vec<Contestant<'_>> = vec![
        Box::new(|| ours_says(&ours, "visit", "run", "2")),
        Box::new(|| ours_says(&ours, "star", "drop", "200").map(|us| us / 1e3)),
    ];
    let medians = in_turns(rounds, &mut figures)?;
    rows.push(row(
        "run(|| ()) in a node vs 60 µs".into(),
        "µs",
        medians[0],
        60.0,
        1.0,
    ));
    rows.push(row(
        "drop of a star of 200 vs 10 ms".into(),
        "ms",
        medians[1],
        10.0,
        1.0,
    ));
    Ok(rows)
}

fn row(name: String, unit: &'static str, ours: f64, other: f64, most: f64) -> Row {
    Row {
        group: "lab",
        name,
        unit,
        ours,
        other,
        target: Target::AtMost(most),
    }
}

fn built(arguments: &[&str], name: &str) -> Result<std::path::PathBuf, String> {
    let built = programs(arguments)?;
    let found = built.into_iter().find(|(built, _)| built == name);
    found
        .map(|(_, path)| path)
        .ok_or_else(|| format!("cargo did not build `{name}`"))
}

/// The figure that a trial of the benchmark prints, in microseconds.
fn ours_says(
    program: &std::path::Path,
    trial: &str,
    figure: &str,
    nodes: &str,
) -> Result<f64, String> {
    let mut command = Command::new(program);
    command
        .args(["--exact", trial, "--nocapture"])
        .env("NODES", nodes);
    let text = output(&mut command)?;
    let mut words = text.split_whitespace().skip_while(|word| *word != figure);
    let value = words.nth(1).and_then(|word| word.parse().ok());
    value.ok_or_else(|| format!("the benchmark did not say its `{figure}`: {text}"))
}

/// `floor n=10 namespaces=4.1 build=7.3 total=11.4 …`, in milliseconds.
fn floor_says(program: &std::path::Path, nodes: &str) -> Result<f64, String> {
    let text = output(Command::new(program).args(["floor", nodes, "1"]))?;
    let total = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("total="));
    let value = total.and_then(|word| word.parse().ok());
    value.ok_or_else(|| format!("the floor did not say its total (it needs root): {text}"))
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(format!(
            "{command:?} failed: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
