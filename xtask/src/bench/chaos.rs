//! Measures the checks and faults with which distributed systems are tested.

use std::process::Command;

use super::build::{build, find};
use super::clocks::clocks;
use super::measure::{in_turns, said};
use super::row::{BenchRow, Target};

/// Measures the rows of the group.
pub(super) fn chaos(rounds: usize) -> Result<Vec<BenchRow>, String> {
    let program = find(&build(&["--bench", "chaos"])?, "chaos")?;
    let ours = || {
        let mut command = Command::new(&program);
        command.args(["--exact", "history", "--nocapture"]);
        said(&mut command, "history")
    };
    let medians = in_turns(rounds, &mut [Box::new(ours), Box::new(|| Ok(10_000.0))])?;
    let mut rows = vec![BenchRow {
        group: "chaos",
        name: "linearizability, 100,000 operations on 100 keys; 10 s".to_owned(),
        ours: medians[0],
        other: medians[1],
        unit: "ms",
        target: Target::AtMost(1.0),
    }];
    rows.extend(clocks(rounds)?);
    Ok(rows)
}
