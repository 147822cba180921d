//! What it costs to bring an existing project to isolated trials.

mod first_build;
mod suite;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use self::first_build::first_build;
use self::suite::{PUBLISHED, PublishedSuite, Suite};
use super::build::{build, find, trial_of};
use super::measure::{Contestant, alone, in_turns, said, time};
use super::row::{BenchRow, Target};
use super::rows::MeasuredRows;
use super::runner::{host, nextest_command, nextest_runs};
use crate::cargo::programs;

/// Size of the directory of which volumes are clones, in files of a mebibyte each.
const TEMPLATE_MIB: usize = 300;

/// Measures the rows of the group.
pub(super) fn adoption(rounds: usize, rows: &mut MeasuredRows) -> Result<(), String> {
    let command = static_command();
    let first_builds = command.clone().and_then(|command| first_build(&command));
    rows.add("a first build", first_builds);
    rows.add("a clone of 300 MB", template(rounds));
    if !nextest_runs() {
        eprintln!("note: cargo-nextest is not installed, so its rows are left out");
        return Ok(());
    }
    let command = command?;
    rows.add(
        "1,000 tests under nextest in `exec`",
        wrapper(&command, rounds),
    );
    for suite in &PUBLISHED {
        let what = format!("the converted suite of {}", suite.name);
        rows.add(&what, converted(suite, &command, rounds));
    }
    Ok(())
}

/// Builds `snowglobe` with a static libc, as its README recommends where each test of a suite goes
/// through `exec`.
fn static_command() -> Result<PathBuf, String> {
    let host = host();
    let flags = format!(
        "target.{host}.rustflags=['-Ctarget-feature=+crt-static', '-Crelocation-model=static']"
    );
    // With `--target`, cargo gives these flags to no macro: a macro has to be a dynamic library.
    let build = ["build", "--release", "--quiet", "-p", "snowglobe-cli"];
    let how = ["--target", &host, "--config", &flags];
    find(&programs(&[&build[..], &how].concat())?, "snowglobe")
}

/// Measures the suite of a published crate, converted, in our own runner, against nextest for the
/// suite as it is published.
fn converted(
    published: &PublishedSuite,
    command: &Path,
    rounds: usize,
) -> Result<BenchRow, String> {
    let suite = Suite::make(published, command)?;
    let medians = in_turns(
        rounds,
        &mut [
            Box::new(|| time(&mut suite.ours())),
            Box::new(|| time(&mut suite.nextest())),
        ],
    )?;
    Ok(BenchRow {
        group: "adoption",
        name: format!(
            "{} {}, {}, converted vs nextest",
            published.name, published.version, published.what
        ),
        unit: "ms",
        ours: medians[0],
        other: medians[1],
        target: Target::AtMost(0.6),
    })
}

/// Measures a thousand tests under nextest, each in `snowglobe exec`, against as many in `unshare`,
/// which gives a test the same namespaces and none of the rest.
fn wrapper(command: &Path, rounds: usize) -> Result<BenchRow, String> {
    let exec = format!("{} exec --", command.display());
    let under = |wrapper| -> Contestant<'_> {
        Box::new(move || time(&mut nextest_command("thousand_plain", Some(wrapper))))
    };
    let medians = in_turns(
        rounds,
        &mut [under(&exec), under("unshare -Urnmuip --fork")],
    )?;
    Ok(BenchRow {
        group: "adoption",
        name: "1,000 tests under nextest in `exec` vs `unshare`".to_owned(),
        unit: "ms",
        ours: medians[0],
        other: medians[1],
        target: Target::AtMost(1.15),
    })
}

/// Measures the clone of a template, in milliseconds and in mebibytes, against its bounds.
fn template(rounds: usize) -> Result<Vec<BenchRow>, String> {
    let program = find(&build(&["--bench", "lab"])?, "lab")?;
    // The template is beside the program: a trial sees the workspace wherever that is.
    let directory = program.parent().ok_or("no directory")?;
    let template = tempfile::tempdir_in(directory).map_err(|error| error.to_string())?;
    for number in 0..TEMPLATE_MIB {
        let path = template.path().join(format!("file-{number}"));
        File::create(&path)
            .and_then(|mut file| file.write_all(&[7; 1 << 20]))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    let trial = || {
        let mut command = trial_of(&program, "clone");
        command.env("TEMPLATE", template.path());
        command
    };
    let row = |what: &str, name: &str, unit: &'static str, most: f64, scale: f64| {
        let ours = || said(&mut trial(), what).map(|figure| figure * scale);
        let ours = alone(rounds, ours)?;
        Ok::<_, String>(BenchRow::within("adoption", name, unit, ours, most))
    };
    Ok(vec![
        row(
            "clone",
            "a lab with a clone of 300 MB as a volume; 50 ms",
            "ms",
            50.0,
            1.0,
        )?,
        row("bytes", "disk of that clone; a megabyte", "MB", 1.0, 1e-6)?,
    ])
}
