//! Measures the checks and faults with which distributed systems are tested.

use std::process::Command;

use super::build::{build, find};
use super::clocks::clocks;
use super::disk::disks;
use super::measure::{in_turns, said};
use super::row::{BenchRow, Target};

/// Measures the rows of the group.
pub(super) fn chaos(rounds: usize) -> Result<Vec<BenchRow>, String> {
    let program = find(&build(&["--bench", "chaos"])?, "chaos")?;
    let row = |trial: &'static str, name: &str, most: f64| {
        let ours = || {
            let mut command = Command::new(&program);
            command.args(["--exact", trial, "--nocapture"]);
            said(&mut command, trial)
        };
        let medians = in_turns(rounds, &mut [Box::new(ours), Box::new(|| Ok(most))])?;
        Ok::<_, String>(BenchRow {
            group: "chaos",
            name: name.to_owned(),
            ours: medians[0],
            other: medians[1],
            unit: "ms",
            target: Target::AtMost(1.0),
        })
    };
    let mut rows = vec![
        row(
            "history",
            "linearizability, 100,000 operations on 100 keys; 10 s",
            10_000.0,
        )?,
        row(
            "partition",
            "a partition of five nodes, both ways; a millisecond",
            1.0,
        )?,
    ];
    rows.extend(clocks(rounds)?);
    rows.extend(disks(rounds)?);
    Ok(rows)
}
