//! Measures the checks and faults with which distributed systems are tested.

mod clocks;
mod disk;
mod seeds;

use std::path::Path;

use super::build::{build, find, trial_of};
use super::measure::{alone, in_turns, said};
use super::row::{BenchRow, Target};
use super::rows::MeasuredRows;
use clocks::clocks;
use disk::disks;
use seeds::seeds;

/// Measures the rows of the group.
pub(super) fn chaos(rounds: usize, rows: &mut MeasuredRows) -> Result<(), String> {
    let program = find(&build(&["--bench", "chaos"])?, "chaos")?;
    let row = |trial: &str, name: &str, most: f64| {
        let ours = alone(rounds, || said(&mut trial_of(&program, trial), trial))?;
        Ok::<_, String>(BenchRow::within("chaos", name, "ms", ours, most))
    };
    rows.add(
        "linearizability",
        row(
            "history",
            "linearizability, 100,000 operations on 100 keys; 10 s",
            10_000.0,
        ),
    );
    rows.add(
        "a partition",
        row(
            "partition",
            "a partition of five nodes, both ways; a millisecond",
            1.0,
        ),
    );
    rows.add("five etcd", five_etcd(&program, rounds));
    rows.add("wrong clocks", clocks(rounds));
    disks(rounds, rows)?;
    rows.add("seeds of Raft", seeds());
    Ok(())
}

/// Measures how long five members of etcd take to be healthy.
fn five_etcd(program: &Path, rounds: usize) -> Result<BenchRow, String> {
    let ours = || said(&mut trial_of(program, "etcd_in_nodes"), "in_nodes");
    let other = || said(&mut trial_of(program, "etcd_on_loopback"), "on_loopback");
    let medians = in_turns(rounds, &mut [Box::new(ours), Box::new(other)])?;
    Ok(BenchRow {
        group: "chaos",
        name: "five etcd until all are healthy, in nodes vs on one loopback".to_owned(),
        unit: "ms",
        ours: medians[0],
        other: medians[1],
        target: Target::AtMost(1.2),
    })
}
