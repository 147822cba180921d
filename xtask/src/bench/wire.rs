//! Userspace wires against a plain veth pair, and against what they promise.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Command;

use super::build::{build, find, trial_of};
use super::measure::{Contestant, figure, figures, in_turns, output, said};
use super::row::{BenchRow, Target};
use super::rows::MeasuredRows;

/// Delays at which punctuality is measured, in milliseconds.
const DELAYS: [u32; 3] = [1, 10, 50];

/// Rates in bits per second, with their names.
const RATES: [(&str, u64); 4] = [
    ("256 kbit/s", 256_000),
    ("10 Mbit/s", 10_000_000),
    ("100 Mbit/s", 100_000_000),
    ("1 Gbit/s", 1_000_000_000),
];

/// Losses in percent.
const LOSSES: [f64; 4] = [0.1, 1.0, 5.0, 30.0];

/// Rounds for figures that do not get truer by being repeated.
const FEW: usize = 3;

/// Measures throughput and round trips of wires that do nothing to packets; then how punctual
/// impaired wires are, and how true.
pub(super) fn wire(rounds: usize, rows: &mut MeasuredRows) -> Result<(), String> {
    let bench = Bench {
        program: find(&build(&["--bench", "wire"])?, "wire")?,
        rounds,
    };
    let wires = wires();
    rows.add("a TCP stream", bench.streams(&wires));
    rows.add("four TCP streams", bench.four_streams(&wires));
    rows.add("smallest datagrams", bench.datagrams(&wires));
    rows.add("round trips", bench.round_trips(&wires));
    for wire in &wires {
        for ms in DELAYS {
            for spin in [false, true] {
                let what = format!("error of a delay of {ms} ms over {}", wire.name);
                rows.add(&what, bench.punctuality(wire, ms, spin));
            }
        }
    }
    for wire in &wires {
        let what = format!("error of 200 links over {}", wire.name);
        rows.add(&what, bench.crowd(wire));
    }
    for wire in &wires {
        for percent in LOSSES {
            let what = format!("loss of {percent} % over {}", wire.name);
            rows.add(&what, bench.loss(wire, percent));
        }
        for rate in RATES {
            let what = format!("rate of {} over {}", rate.0, wire.name);
            rows.add(&what, bench.rate(wire, rate));
        }
    }
    Ok(())
}

/// A carrier of a link's packets that this machine has.
struct MeasuredCarrier {
    name: &'static str,
    /// Share of a veth pair's throughput that the carrier must reach.
    share: f64,
}

fn wires() -> Vec<MeasuredCarrier> {
    let tap = MeasuredCarrier {
        name: "tap",
        share: 0.65,
    };
    let packet = MeasuredCarrier {
        name: "packet",
        share: 0.5,
    };
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    match device {
        Ok(_) => vec![tap, packet],
        Err(why) => {
            eprintln!("note: no wires over TAP are measured: /dev/net/tun: {why}");
            vec![packet]
        }
    }
}

struct Bench {
    program: PathBuf,
    rounds: usize,
}

impl Bench {
    fn trial(&self, wire: &str, name: &str, variables: &[(&str, String)]) -> Command {
        let mut command = trial_of(&self.program, name);
        command.env("WIRE", wire).envs(variables.iter().cloned());
        command
    }

    /// Returns the medians of a figure: of a plain veth pair, and of each wire.
    fn in_turns(
        &self,
        wires: &[MeasuredCarrier],
        trial: &str,
        variables: &[(&str, String)],
        name: &str,
    ) -> Result<Vec<f64>, String> {
        let carriers = ["veth"]
            .into_iter()
            .chain(wires.iter().map(|wire| wire.name));
        let mut contestants: Vec<Contestant<'_>> = carriers
            .map(|carrier| {
                let measure = move || said(&mut self.trial(carrier, trial, variables), name);
                Box::new(measure) as Contestant<'_>
            })
            .collect();
        in_turns(self.rounds, &mut contestants)
    }

    fn streams(&self, wires: &[MeasuredCarrier]) -> Result<Vec<BenchRow>, String> {
        let medians = self.in_turns(wires, "flood::stream", &[], "gbit")?;
        let least = |wire: &MeasuredCarrier| wire.share;
        Ok(against_veth(wires, &medians, "a TCP stream", "Gb/s", least))
    }

    /// Measures streams of several senders over one wire that has nothing to do, as a test gets it
    /// that asks for a wire; then over wires whose thread carries them.
    ///
    /// The thread cannot come to half of a veth pair on two cores: it takes 33 to 45 ms of CPU time
    /// a gigabit, nearly all of it in the kernel, for two more copies and two more ways through the
    /// stack. Senders and receivers take 30 ms, and a veth pair takes nothing beside them (measured
    /// for this project, 2026-11-30). The rows of the thread tell whether it gets slower.
    fn four_streams(&self, wires: &[MeasuredCarrier]) -> Result<Vec<BenchRow>, String> {
        let idle = ["wire", "packet"].map(|name| MeasuredCarrier { name, share: 0.5 });
        let four = ("STREAMS", "4".to_owned());
        let variables = [four.clone(), ("IDLE", "1".to_owned())];
        let medians = self.in_turns(&idle, "flood::stream", &variables, "gbit")?;
        let least = |wire: &MeasuredCarrier| wire.share;
        let mut rows = against_veth(&idle, &medians, "four TCP streams", "Gb/s", least);
        let medians = self.in_turns(wires, "flood::stream", &[four], "gbit")?;
        let what = "four TCP streams by the thread,";
        rows.extend(against_veth(wires, &medians, what, "Gb/s", |_| 0.2));
        Ok(rows)
    }

    fn datagrams(&self, wires: &[MeasuredCarrier]) -> Result<Vec<BenchRow>, String> {
        let medians = self.in_turns(wires, "flood::datagrams", &[], "kpps")?;
        let what = "smallest datagrams";
        Ok(against_veth(wires, &medians, what, "k/s", |_| 0.8))
    }

    fn round_trips(&self, wires: &[MeasuredCarrier]) -> Result<Vec<BenchRow>, String> {
        let medians = self.in_turns(wires, "flood::round_trip", &[], "us")?;
        let rows = wires.iter().zip(&medians[1..]).map(|(wire, ours)| {
            let name = format!("added to a round trip by {}; 50 microseconds", wire.name);
            within(name, "us", ours - medians[0], 50.0)
        });
        Ok(rows.collect())
    }

    fn punctuality(
        &self,
        wire: &MeasuredCarrier,
        ms: u32,
        spin: bool,
    ) -> Result<Vec<BenchRow>, String> {
        let variables = [("MS", ms.to_string()), ("SPIN", u8::from(spin).to_string())];
        let trial = || self.trial(wire.name, "punctual::one_way", &variables);
        let [p50, p99] = figures(self.rounds.min(FEW), trial, ["p50", "p99"])?;
        let (spinning, most) = if spin {
            (", spinning", 20.0)
        } else {
            ("", 40.0)
        };
        let what = format!("of a delay of {ms} ms over {}{spinning}", wire.name);
        Ok(vec![
            within(
                format!("error {what}, p50; {most} us"),
                "us",
                p50.abs(),
                most,
            ),
            within(format!("error {what}, p99; 200 us"), "us", p99, 200.0),
        ])
    }

    fn crowd(&self, wire: &MeasuredCarrier) -> Result<[BenchRow; 2], String> {
        let trial = || self.trial(wire.name, "punctual::crowd", &[]);
        let [whole, part] = figures(self.rounds.min(FEW), trial, ["p99", "p99_of_a_part"])?;
        let row = |of: &str, p99| {
            let name = format!("error of 200 links over {}, p99{of}; 1 ms", wire.name);
            within(name, "us", p99, 1000.0)
        };
        Ok([row("", whole), row(" of a tenth", part)])
    }

    /// Measures how far the losses are from what was asked for, against the most that they may be
    /// off in 999 of 1000 cases.
    fn loss(&self, wire: &MeasuredCarrier, percent: f64) -> Result<Vec<BenchRow>, String> {
        let variables = [("PERCENT", percent.to_string())];
        let text = output(&mut self.trial(wire.name, "true_to_word::loss", &variables))?;
        let count = figure(&text, "sent")?;
        let share = percent / 100.0;
        let bound = 3.29 * (count * share * (1.0 - share)).sqrt();
        let row = |direction: &str| {
            let lost = figure(&text, direction)?;
            let name = format!(
                "loss of {percent} % over {}, {direction}: off by",
                wire.name
            );
            Ok(within(name, "pkt", (lost - count * share).abs(), bound))
        };
        ["there", "back"].into_iter().map(row).collect()
    }

    fn rate(&self, wire: &MeasuredCarrier, (text, rate): (&str, u64)) -> Result<BenchRow, String> {
        let variables = [("RATE", rate.to_string())];
        let trial = || self.trial(wire.name, "true_to_word::rate", &variables);
        let [bits] = figures(self.rounds.min(FEW), trial, ["bits"])?;
        let off = (bits / rate as f64 - 1.0).abs() * 100.0;
        let name = format!("rate of {text} over {}: off by; 2 %", wire.name);
        Ok(within(name, "%", off, 2.0))
    }
}

/// Compares each wire with the first median, which is a veth pair's.
fn against_veth(
    wires: &[MeasuredCarrier],
    medians: &[f64],
    what: &str,
    unit: &'static str,
    least: impl Fn(&MeasuredCarrier) -> f64,
) -> Vec<BenchRow> {
    let row = |(wire, ours): (&MeasuredCarrier, &f64)| BenchRow {
        group: "wire",
        name: format!("{what} over {} vs a veth pair", wire.name),
        unit,
        ours: *ours,
        other: medians[0],
        target: Target::AtLeast(least(wire)),
    };
    wires.iter().zip(&medians[1..]).map(row).collect()
}

/// Makes the row of a figure and its bound.
fn within(name: String, unit: &'static str, ours: f64, bound: f64) -> BenchRow {
    BenchRow::within("wire", name, unit, ours, bound)
}
