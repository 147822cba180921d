//! Seeds of the Raft example, side by side: how many a minute has room for.

use std::num::NonZero;
use std::process::Command;
use std::thread::available_parallelism;

use crate::bench::build::find;
use crate::bench::measure::time;
use crate::bench::quiet;
use crate::bench::row::{BenchRow, Target};
use crate::cargo::programs;

/// Number of seeds that run side by side.
const SEEDS: u32 = 100;

/// Number of seeds that run one after another, which say what one core allows.
const ALONE: u32 = 10;

/// Measures the row. It takes minutes, so that there is one round.
pub(super) fn seeds() -> Result<BenchRow, String> {
    let package = ["-p", "snowglobe-raft", "--test", "raft"];
    let build = ["test", "--no-run", "--quiet", "--release"];
    let program = find(&programs(&[&build[..], &package].concat())?, "raft")?;
    let per_minute = |seeds: u32, more: &[&str]| {
        quiet::wait();
        let mut command = Command::new(&program);
        command
            .args(["--exact", "register::is_linearizable", "--seed", "1"])
            .args(["--runs", &seeds.to_string()])
            .args(more);
        time(&mut command).map(|ms| f64::from(seeds) * 60_000.0 / ms)
    };
    let cores = available_parallelism().map_or(1, NonZero::get);
    let alone = per_minute(ALONE, &["--test-threads", "1"])?;
    Ok(BenchRow {
        group: "chaos",
        name: format!("{SEEDS} seeds of Raft side by side, per minute, vs {cores} x one"),
        unit: "/min",
        // As many at a time as the runner takes by itself, which are more than there are cores: a
        // trial waits for its members and for the kernel now and then, and another runs meanwhile.
        ours: per_minute(SEEDS, &[])?,
        other: alone * cores as f64,
        target: Target::AtLeast(0.9),
    })
}
