//! Volumes with faults beside plain ones, and beside this machine's disk.

use crate::bench::build::{build, find, trial_of};
use crate::bench::measure::figures;
use crate::bench::row::{BenchRow, Target};
use crate::bench::rows::MeasuredRows;

/// Measures buffered writes and syncs. A trial measures all volumes, one after the other.
pub(super) fn disks(rounds: usize, rows: &mut MeasuredRows) -> Result<(), String> {
    let program = find(&build(&["--bench", "disk"])?, "disk")?;
    let buffered = figures(
        rounds,
        || trial_of(&program, "buffered"),
        ["faults128", "plain128", "faults8", "plain8"],
    );
    let synced = figures(
        rounds,
        || trial_of(&program, "synced"),
        ["faults", "disk", "plain"],
    );
    let row = |[ours, other]: [f64; 2], unit, name: &str, target| BenchRow {
        group: "chaos",
        name: name.to_owned(),
        unit,
        ours,
        other,
        target,
    };
    let buffered = buffered.map(|[faults128, plain128, faults8, plain8]| {
        [
            row(
                [faults128, plain128],
                "MB/s",
                "writes of 128 KiB, volume with faults vs plain",
                Target::AtLeast(0.7),
            ),
            row(
                [faults8, plain8],
                "MB/s",
                "writes of 8 KiB, volume with faults vs plain",
                Target::AtLeast(0.7),
            ),
        ]
    });
    rows.add("buffered writes, volume with faults", buffered);
    let synced = synced.map(|[faults, disk, plain]| {
        [
            row(
                [faults, disk],
                "us",
                "write and fdatasync, volume with faults vs this disk",
                Target::AtMost(1.5),
            ),
            // A plain volume is a directory of a tmpfs, whose sync does nothing (mm/shmem.c,
            // `noop_fsync`). The volume with faults is served by a process, so that its sync takes
            // two wake-ups at least. What a database waits for elsewhere is the row above.
            row(
                [faults, plain],
                "us",
                "the same vs a plain volume, in memory: its sync is empty",
                Target::AtMost(1.5),
            ),
        ]
    });
    rows.add("synced writes, volume with faults", synced);
    Ok(())
}
