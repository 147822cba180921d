//! Volumes with faults beside plain ones, and beside this machine's disk.

use crate::bench::build::{build, find, trial_of};
use crate::bench::measure::{in_turns, said};
use crate::bench::row::{BenchRow, Target};

/// Measures buffered writes and syncs.
pub(super) fn disks(rounds: usize) -> Result<Vec<BenchRow>, String> {
    let program = find(&build(&["--bench", "disk"])?, "disk")?;
    let row = |trial: &str, [ours, other]: [&str; 2], unit, name: &str, target| {
        let of = |figure: &str| {
            let (program, trial, figure) = (program.clone(), trial.to_owned(), figure.to_owned());
            move || said(&mut trial_of(&program, &trial), &figure)
        };
        let medians = in_turns(rounds, &mut [Box::new(of(ours)), Box::new(of(other))])?;
        Ok(BenchRow {
            group: "chaos",
            name: name.to_owned(),
            unit,
            ours: medians[0],
            other: medians[1],
            target,
        })
    };
    [
        (
            "buffered",
            ["faults128", "plain128"],
            "MB/s",
            "writes of 128 KiB, volume with faults vs plain",
            Target::AtLeast(0.7),
        ),
        (
            "buffered",
            ["faults8", "plain8"],
            "MB/s",
            "writes of 8 KiB, volume with faults vs plain",
            Target::AtLeast(0.7),
        ),
        (
            "synced",
            ["faults", "disk"],
            "us",
            "write and fdatasync, volume with faults vs this disk",
            Target::AtMost(1.5),
        ),
        (
            "synced",
            ["faults", "plain"],
            "us",
            "the same vs a plain volume, in memory: its sync is empty",
            Target::AtMost(1.5),
        ),
    ]
    .into_iter()
    .map(|(trial, figures, unit, name, target)| row(trial, figures, unit, name, target))
    .collect()
}
