//! `cargo xtask bench`: ratios, measured side by side in one run on a machine that is quiet.

mod build;
mod fixtures;
mod lab;
mod measure;
mod quiet;
mod runner;
mod strangers;
mod wire;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

const HELP: &str = "\
Usage: cargo xtask bench [GROUP…] [--json FILE] [--check] [--rounds N]

Measures ours and others in turns and prints the medians, their ratio and its target.

Groups: runner listing memory fixtures lab wire (all by default)

  --json FILE  write the rows to FILE as well
  --check      exit with 1 if a ratio misses its target
  --rounds N   how many rounds, 7 by default
";

/// One comparison.
pub(crate) struct BenchRow {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    /// What was measured, as in `ms`.
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    pub(crate) other: f64,
    pub(crate) target: Target,
}

/// What the ratio of ours to the other should be.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less.
    AtLeast(f64),
}

impl Target {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(most) => ratio <= most,
            Self::AtLeast(least) => ratio >= least,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::AtMost(most) => format!("<= {most}"),
            Self::AtLeast(least) => format!(">= {least}"),
        };
        out.pad(&text)
    }
}

impl BenchRow {
    fn ratio(&self) -> f64 {
        self.ours / self.other
    }

    fn holds(&self) -> bool {
        self.target.holds(self.ratio())
    }

    fn print(&self) {
        println!(
            "{:<8} {:<58} {:>10.1} {:>10.1} {:>4} {:>7.3} {:>8} {}",
            self.group,
            self.name,
            self.ours,
            self.other,
            self.unit,
            self.ratio(),
            self.target,
            if self.holds() { "ok" } else { "MISSED" }
        );
    }

    fn json(&self) -> serde_json::Value {
        let (bound, value) = match self.target {
            Target::AtMost(most) => ("at_most", most),
            Target::AtLeast(least) => ("at_least", least),
        };
        json!({
            "group": self.group, "name": self.name, "unit": self.unit, "ours": self.ours,
            "other": self.other, "ratio": self.ratio(), bound: value, "ok": self.holds(),
        })
    }
}

/// What a group measures: rows, or why it could not.
type Group = fn(usize) -> Result<Vec<BenchRow>, String>;

const GROUPS: [(&str, Group); 6] = [
    ("runner", runner::runner),
    ("listing", runner::listing),
    ("memory", runner::memory),
    ("fixtures", fixtures::fixtures),
    ("lab", lab::lab),
    ("wire", wire::wire),
];

struct BenchOptions {
    groups: Vec<String>,
    json: Option<PathBuf>,
    check: bool,
    rounds: usize,
    help: bool,
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<BenchOptions, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = BenchOptions {
        groups: Vec::new(),
        json: None,
        check: false,
        rounds: 7,
        help: false,
    };
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Value(group) => options.groups.push(group.string()?),
            Long("json") => options.json = Some(parser.value()?.into()),
            Long("check") => options.check = true,
            Long("rounds") => options.rounds = parser.value()?.parse::<usize>()?.max(1),
            Short('h') | Long("help") => options.help = true,
            other => return Err(other.unexpected()),
        }
    }
    for group in &options.groups {
        if !GROUPS.iter().any(|(name, _)| name == group) {
            return Err(format!("there is no group `{group}`").into());
        }
    }
    Ok(options)
}

pub(crate) fn bench(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match parse(arguments) {
        Ok(options) if options.help => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let mut rows = Vec::new();
    let mut failed = false;
    println!(
        "{:<8} {:<58} {:>10} {:>10} {:>4} {:>7} {:>8}",
        "group", "what", "ours", "other", "unit", "ratio", "target"
    );
    for (name, group) in GROUPS {
        if !options.groups.is_empty() && !options.groups.iter().any(|wanted| wanted == name) {
            continue;
        }
        match group(options.rounds) {
            Ok(measured) => {
                measured.iter().for_each(BenchRow::print);
                rows.extend(measured);
            }
            Err(why) => {
                eprintln!("error: group {name}: {why}");
                failed = true;
            }
        }
    }
    if let Some(path) = &options.json {
        let values: Vec<_> = rows.iter().map(BenchRow::json).collect();
        let text = format!("{:#}\n", serde_json::Value::Array(values));
        if let Err(error) = std::fs::write(path, text) {
            eprintln!("error: cannot write {}: {error}", path.display());
            failed = true;
        }
    }
    let missed = options.check && !rows.iter().all(BenchRow::holds);
    ExitCode::from(u8::from(failed || missed))
}
