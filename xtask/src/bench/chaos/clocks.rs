//! What it costs a program to read a clock that is wrong.

use crate::bench::build::{build, compile, find, trial_of};
use crate::bench::measure::figures;
use crate::bench::row::BenchRow;

/// Figures of the program, what they are of, and the most that a reading may take, in nanoseconds.
const FIGURES: [(&str, &str, f64); 2] = [
    ("libc", "a wrong clock, read by libc; 2 µs", 2_000.0),
    (
        "raw",
        "a wrong clock, read by a system call; 20 µs",
        20_000.0,
    ),
];

/// Measures a reading by libc, and one by a bare system call.
pub(super) fn clocks(rounds: usize) -> Result<Vec<BenchRow>, String> {
    let ours = find(&build(&["--bench", "clocks"])?, "clocks")?;
    let program = compile("clock", &ours)?;
    let command = || {
        let mut command = trial_of(&ours, "reading");
        command.env("CLOCK", &program);
        command
    };
    let medians = figures(rounds, command, FIGURES.map(|(figure, ..)| figure))?;
    let rows = FIGURES.into_iter().zip(medians);
    let row = |((_, name, most), median): ((&str, &str, f64), f64)| {
        BenchRow::within("chaos", name, "ns", median, most)
    };
    Ok(rows.map(row).collect())
}
