//! Labs against floors in C: the same stars and the same cables, without a lab.

use std::path::PathBuf;
use std::process::Command;

use super::build::{build, compile, find, trial_of};
use super::measure::{Contestant, figure, in_turns, said};
use super::row::{BenchRow, Target};
use super::rows::MeasuredRows;
use super::strangers::watch;

/// Numbers of nodes of the stars.
const SIZES: [usize; 5] = [2, 10, 50, 200, 1000];

/// Rounds for the largest star, of which one run takes seconds, and six more for what goes on after
/// it.
const FEW: usize = 3;

/// Measures `topology.start()` of stars and the work it leaves, `run` in a node, `drop` of a lab,
/// and a link.
pub(super) fn lab(rounds: usize, rows: &mut MeasuredRows) -> Result<(), String> {
    let programs = Programs::build()?;
    for size in SIZES {
        let what = format!("start of a star of {size}");
        rows.add(&what, programs.start(rounds, size));
    }
    let after = programs.after(rounds.min(FEW));
    rows.add("what a start of 1000 leaves to do", after);
    rows.add("a visit to a node", programs.visit(rounds));
    rows.add("drop of a star", programs.end(rounds));
    rows.add("a TCP stream over a link", programs.stream(rounds));
    Ok(())
}

struct Programs {
    ours: PathBuf,
    star: PathBuf,
    stream: PathBuf,
}

impl Programs {
    fn build() -> Result<Self, String> {
        let ours = find(&build(&["--bench", "lab"])?, "lab")?;
        Ok(Self {
            star: compile("star", &ours)?,
            stream: compile("stream", &ours)?,
            ours,
        })
    }

    /// Returns a command for one trial of the benchmark.
    fn trial(&self, name: &str) -> Command {
        let mut command = trial_of(&self.ours, name);
        command.env("STREAM", &self.stream);
        command
    }

    fn star_of(&self, nodes: usize) -> Command {
        let mut command = self.trial("star");
        command.env("NODES", nodes.to_string());
        command
    }

    fn start(&self, rounds: usize, nodes: usize) -> Result<BenchRow, String> {
        let rounds = if nodes < 1000 {
            rounds
        } else {
            rounds.min(FEW)
        };
        let ours = || said(&mut self.star_of(nodes), "start");
        let floor = || said(Command::new(&self.star).arg(nodes.to_string()), "start");
        Ok(BenchRow {
            name: format!("start of a star of {nodes} vs the same in C"),
            unit: "ms",
            target: Target::AtMost(1.3),
            ..compared(rounds, Box::new(ours), Box::new(floor))?
        })
    }

    /// Measures the work that goes on when `start` has returned.
    fn after(&self, rounds: usize) -> Result<BenchRow, String> {
        let mut both = [Vec::new(), Vec::new()];
        let mut watched = || {
            let (said, strangers) = watch(self.star_of(1000).env("AFTER", "1"))?;
            both[0].push((figure(&said, "after")? - strangers).max(0.0));
            both[1].push(figure(&said, "cost")?);
            Ok(0.0)
        };
        in_turns(rounds, &mut [Box::new(&mut watched)])?;
        let [ours, other] = both.map(|mut ticks| super::measure::median(&mut ticks));
        Ok(BenchRow {
            group: "lab",
            name: "system CPU in the 6 s after a start of 1000 vs the start's".to_owned(),
            unit: "tick",
            ours,
            other,
            target: Target::AtMost(0.1),
        })
    }

    fn visit(&self, rounds: usize) -> Result<BenchRow, String> {
        let ours = || said(&mut self.trial("visit"), "run");
        Ok(BenchRow {
            name: "run(|| ()) in a node; 60 microseconds".to_owned(),
            unit: "us",
            ..compared(rounds, Box::new(ours), Box::new(|| Ok(60.0)))?
        })
    }

    fn end(&self, rounds: usize) -> Result<BenchRow, String> {
        let ours = || said(&mut self.star_of(200), "drop");
        Ok(BenchRow {
            name: "drop of a star of 200; ten milliseconds".to_owned(),
            unit: "ms",
            ..compared(rounds, Box::new(ours), Box::new(|| Ok(10.0)))?
        })
    }

    fn stream(&self, rounds: usize) -> Result<BenchRow, String> {
        let ours = || said(&mut self.trial("stream"), "gbit");
        let pair = || said(Command::new(&self.stream).args(["pair", "1000"]), "gbit");
        Ok(BenchRow {
            name: "a TCP stream over a link vs a veth pair made by hand".to_owned(),
            unit: "Gb/s",
            target: Target::AtLeast(0.95),
            ..compared(rounds, Box::new(ours), Box::new(pair))?
        })
    }
}

fn compared(
    rounds: usize,
    ours: Contestant<'_>,
    other: Contestant<'_>,
) -> Result<BenchRow, String> {
    let medians = in_turns(rounds, &mut [ours, other])?;
    Ok(BenchRow {
        group: "lab",
        name: String::new(),
        unit: "",
        ours: medians[0],
        other: medians[1],
        target: Target::AtMost(1.0),
    })
}
