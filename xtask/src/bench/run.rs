//! Measures the groups that were asked for, and prints and writes their rows.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use super::options::{BenchOptions, COMMAND_LINE};
use super::rows::MeasuredRows;
use super::{adoption, chaos, fixtures, internet, lab, runner, wire};

/// Measures the rows of one group in so many rounds; the error says why none of the rest could be
/// measured.
type Group = fn(usize, &mut MeasuredRows) -> Result<(), String>;

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
    let measured = measure(&options);
    let mut failed = !measured.iter().all(MeasuredRows::is_whole);
    if let Some(path) = &options.json
        && let Err(error) = write(&measured, path)
    {
        eprintln!("error: cannot write {}: {error}", path.display());
        failed = true;
    }
    let missed = options.check && !measured.iter().all(MeasuredRows::all_hold);
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

/// Measures the groups, which print their rows.
fn measure(options: &BenchOptions) -> Vec<MeasuredRows> {
    println!(
        "{:<8} {:<58} {:>10} {:>10} {:>4} {:>7} {:>8}",
        "group", "what", "ours", "other", "unit", "ratio", "target"
    );
    let wanted = GROUPS.iter().filter(|(name, _)| options.wants(name));
    let measure = |(name, group): &(&'static str, Group)| {
        let mut rows = MeasuredRows::of_group(name);
        if let Err(why) = group(options.rounds(), &mut rows) {
            rows.add("the rest of the group", Err::<Vec<_>, _>(why));
        }
        rows
    };
    wanted.map(measure).collect()
}

fn write(groups: &[MeasuredRows], path: &Path) -> std::io::Result<()> {
    let values = groups.iter().flat_map(MeasuredRows::json).collect();
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
