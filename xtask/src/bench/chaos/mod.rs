//! Measures the checks and faults with which distributed systems are tested.

mod clocks;
mod disk;
mod seeds;

use std::path::Path;

use super::build::{build, find, trial_of};
use super::measure::{alone, least_in_turns, said};
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

/// Least number of pairs of clusters, of which the best of each kind is taken.
///
/// Members of etcd 3.4 that start at the same instant sometimes take four seconds more: their logs
/// show a gap between `opened backend db` and `starting local member`, in which each asks the four
/// others, which listen and do not serve yet, for a second each. That befell 6 of 13 clusters in
/// nodes and 4 of 13 on loopback (busy machine, 2026-12-01).
const PAIRS: usize = 9;

/// Measures how long five members of etcd take to be healthy.
fn five_etcd(program: &Path, rounds: usize) -> Result<BenchRow, String> {
    let ours = || said(&mut trial_of(program, "etcd_in_nodes"), "in_nodes");
    let other = || said(&mut trial_of(program, "etcd_on_loopback"), "on_loopback");
    let pairs = rounds.max(PAIRS);
    let least = least_in_turns(pairs, &mut [Box::new(ours), Box::new(other)])?;
    Ok(BenchRow {
        group: "chaos",
        name: "five etcd until healthy, in nodes vs on loopback, best".to_owned(),
        unit: "ms",
        ours: least[0],
        other: least[1],
        target: Target::AtMost(1.2),
    })
}
