//! Routers, translation and name servers: what they cost beside labs without them, and beside
//! patchbay.

mod patchbay;

use std::path::PathBuf;
use std::process::Command;

use super::build::{build, find, trial_of};
use super::measure::{Contestant, alone, figures, in_turns, said};
use super::row::{BenchRow, Target};
use super::rows::MeasuredRows;

/// Measures the rows of the group.
pub(super) fn internet(rounds: usize, rows: &mut MeasuredRows) -> Result<(), String> {
    let bench = Bench {
        program: find(&build(&["--bench", "internet"])?, "internet")?,
        rounds,
    };
    rows.add("streams through a NAT", bench.streams());
    rows.add("100,000 mappings", bench.mappings());
    rows.add("start of two homes", bench.homes());
    let name = "start of 200 homes; 2 s";
    let homes = || bench.homes_of("homes", 200);
    rows.add(name, bench.most(name, "ms", 2000.0, homes, "start"));
    for engine in ["nftables", "userspace"] {
        let name = format!("change of a NAT on a running router, {engine}; 5 ms");
        let change = || bench.trial("change");
        rows.add(&name, bench.most(&name, "ms", 5.0, change, engine));
    }
    rows.add("answers of a name server", bench.names());
    if let Some(row) = patchbay::row(&bench) {
        rows.add("patchbay", Ok(row));
    }
    Ok(())
}

struct Bench {
    program: PathBuf,
    rounds: usize,
}

impl Bench {
    fn trial(&self, name: &str) -> Command {
        trial_of(&self.program, name)
    }

    fn homes_of(&self, trial: &str, homes: usize) -> Command {
        let mut command = self.trial(trial);
        command.env("HOMES", homes.to_string());
        command
    }

    /// Measures a TCP stream through a router with each engine, against the same without NAT.
    fn streams(&self) -> Result<Vec<BenchRow>, String> {
        let nats = ["none", "nftables", "userspace"];
        let mut contestants = nats.map(|nat| {
            let measure = move || said(self.trial("stream").env("NAT", nat), "gbit");
            Box::new(measure) as Contestant<'_>
        });
        let medians = in_turns(self.rounds, &mut contestants)?;
        let row = |at: usize, target| BenchRow {
            name: format!("a TCP stream through a NAT, {}, vs no NAT", nats[at]),
            unit: "Gb/s",
            target: Target::AtLeast(target),
            ..compared(medians[at], medians[0])
        };
        Ok(vec![row(1, 0.8), row(2, 0.5)])
    }

    fn mappings(&self) -> Result<Vec<BenchRow>, String> {
        let mappings = || self.trial("mappings");
        let [bytes, few, many] = figures(self.rounds, mappings, ["bytes", "few", "many"])?;
        Ok(vec![
            BenchRow::within(
                "internet",
                "memory of a mapping, of 100,000; 200 bytes",
                "B",
                bytes,
                200.0,
            ),
            BenchRow {
                name: "a packet of a burst through one of 100,000 mappings vs one of 100"
                    .to_owned(),
                unit: "ns",
                target: Target::AtMost(2.0),
                ..compared(many, few)
            },
        ])
    }

    fn homes(&self) -> Result<BenchRow, String> {
        let of = |trial: &'static str| move || said(&mut self.homes_of(trial, 2), "start");
        let mut contestants: [Contestant<'_>; 2] = [Box::new(of("homes")), Box::new(of("cables"))];
        let medians = in_turns(self.rounds, &mut contestants)?;
        Ok(BenchRow {
            name: "start of two homes and a server vs a star like that".to_owned(),
            unit: "ms",
            target: Target::AtMost(1.3),
            ..compared(medians[0], medians[1])
        })
    }

    fn names(&self) -> Result<BenchRow, String> {
        let answers = alone(self.rounds, || said(&mut self.trial("names"), "answers"))?;
        Ok(BenchRow {
            name: "questions that a name server answers; 10,000 a second".to_owned(),
            unit: "/s",
            target: Target::AtLeast(1.0),
            ..compared(answers, 10_000.0)
        })
    }

    /// Measures a figure that is to be no more than a bound.
    fn most(
        &self,
        name: &str,
        unit: &'static str,
        bound: f64,
        trial: impl Fn() -> Command,
        figure: &str,
    ) -> Result<BenchRow, String> {
        let ours = alone(self.rounds, || said(&mut trial(), figure))?;
        Ok(BenchRow::within("internet", name, unit, ours, bound))
    }
}

/// Makes the row of two figures, without its name and target.
fn compared(ours: f64, other: f64) -> BenchRow {
    BenchRow {
        group: "internet",
        name: String::new(),
        unit: "",
        ours,
        other,
        target: Target::AtMost(1.0),
    }
}
