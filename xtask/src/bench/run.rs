//! Measures the groups that were asked for, and prints and writes their rows.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use super::options::{BenchOptions, COMMAND_LINE};
use super::row::BenchRow;
use super::{adoption, chaos, fixtures, internet, lab, runner, wire};

/// Measures one group in so many rounds; the error says why the group could not be measured.
type Group = fn(usize) -> Result<Vec<BenchRow>, String>;

const GROUPS: [(&str, Group); 9] = [
    ("runner", runner::runner),
    ("listing", runner::listing),
    ("memory", runner::memory),
    ("fixtures", fixtures::fixtures),
    ("lab", lab::lab),
    ("wire", wire::wire),
    ("adoption", adoption::adoption),
    ("chaos", chaos::chaos),
    ("internet", internet::internet),
];

/// Runs `cargo xtask bench`; `arguments` are the words after `bench`.
pub(crate) fn bench(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match parse(arguments) {
        Ok(options) if options.help => {
            print!("{}", COMMAND_LINE.help());
            return ExitCode::SUCCESS;
        }
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n\n{}", COMMAND_LINE.help());
            return ExitCode::from(2);
        }
    };
    let (rows, mut failed) = measure(&options);
    if let Some(path) = &options.json
        && let Err(error) = write(&rows, path)
    {
        eprintln!("error: cannot write {}: {error}", path.display());
        failed = true;
    }
    let missed = options.check && !rows.iter().all(BenchRow::holds);
    ExitCode::from(u8::from(failed || missed))
}

fn parse(arguments: impl Iterator<Item = OsString>) -> Result<BenchOptions, String> {
    let options = COMMAND_LINE
        .parse(arguments)
        .map_err(|error| error.to_string())?;
    for group in &options.groups {
        if !GROUPS.iter().any(|(name, _)| name == group) {
            return Err(format!("there is no group `{group}`"));
        }
    }
    Ok(options)
}

/// Measures the groups and prints their rows; the flag says whether a group failed.
fn measure(options: &BenchOptions) -> (Vec<BenchRow>, bool) {
    let mut rows = Vec::new();
    let mut failed = false;
    println!(
        "{:<8} {:<58} {:>10} {:>10} {:>4} {:>7} {:>8}",
        "group", "what", "ours", "other", "unit", "ratio", "target"
    );
    for (name, group) in GROUPS.iter().filter(|(name, _)| options.wants(name)) {
        match group(options.rounds()) {
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
    (rows, failed)
}

fn write(rows: &[BenchRow], path: &Path) -> std::io::Result<()> {
    let values = rows.iter().map(BenchRow::json).collect();
    let text = format!("{:#}\n", serde_json::Value::Array(values));
    std::fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_in_the_help() {
        let names: Vec<&str> = GROUPS.iter().map(|(name, _)| *name).collect();
        let groups = format!("Groups: {} (all by default)", names.join(" "));
        assert!(COMMAND_LINE.help().contains(&groups), "{groups}");
    }
}
