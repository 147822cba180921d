//! The runner against a bare loop of `clone3`, against nextest, and against libtest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::build::{build, compile, find};
use super::measure::{Contestant, in_turns, time};
use super::row::{BenchRow, Target};
use super::rows::MeasuredRows;
use crate::cargo::cargo;

/// Measures a thousand trials that bind port 80, connect and exchange bytes.
pub(super) fn runner(rounds: usize, rows: &mut MeasuredRows) -> Result<(), String> {
    let built = build(&["--bench", "thousand", "--bench", "thousand_plain"])?;
    let ours = find(&built, "thousand")?;
    let plain = find(&built, "thousand_plain")?;
    let floor = compile("floor", &ours)?;
    let ours = || -> Contestant<'_> { Box::new(|| time(Command::new(&ours).arg("-q"))) };
    // Eight workers make the floor fastest here.
    let bare = || time(Command::new(&floor).args(["1000", "8"]));
    // The figures of these two are near each other and soon taken, so the two take more turns, by
    // themselves.
    let near = in_turns(rounds.max(15), &mut [ours(), Box::new(bare)]);
    let row = |name: &str, ours: f64, other: f64, most| BenchRow {
        group: "runner",
        name: name.to_owned(),
        unit: "ms",
        ours,
        other,
        target: Target::AtMost(most),
    };
    let name = "1,000 trials vs a bare loop of clone3";
    rows.add(name, near.map(|near| row(name, near[0], near[1], 1.25)));
    if !nextest_runs() {
        eprintln!("note: cargo-nextest is not installed, so its rows are left out");
        return Ok(());
    }
    let under = |bench: &'static str, wrapper| -> Contestant<'_> {
        debug_assert!(plain.exists(), "built before it is timed");
        Box::new(move || time(&mut nextest_command(bench, wrapper)))
    };
    let unshare = "unshare -Urnmuip --fork --mount-proc";
    let far = in_turns(
        rounds,
        &mut [
            ours(),
            under("thousand_plain", None),
            under("thousand_plain", Some(unshare)),
            under("thousand", None),
        ],
    );
    let names =
        ["without isolation", "with unshare"].map(|how| format!("1,000 trials vs nextest {how}"));
    let under = "1,000 trials under nextest vs nextest without isolation";
    let far = far.map(|far| {
        [
            row(&names[0], far[0], far[1], 0.45),
            row(&names[1], far[0], far[2], 0.25),
            row(under, far[3], far[1], 1.4),
        ]
    });
    rows.add("1,000 trials vs and under nextest", far);
    Ok(())
}

/// Measures listing ten thousand trials, and running one of them.
pub(super) fn listing(rounds: usize, rows: &mut MeasuredRows) -> Result<(), String> {
    let built = build(&[
        "--features",
        "bench-listing",
        "--bench",
        "listing",
        "--bench",
        "listing_plain",
    ])?;
    let (ours, plain) = (find(&built, "listing")?, find(&built, "listing_plain")?);
    let list = ["--list", "--format", "terse"];
    let exact = ["--exact", "e::e::e::e", "--nocapture"];
    let run = |program: &PathBuf, args: [&'static str; 3]| -> Contestant<'static> {
        let program = program.clone();
        Box::new(move || time(Command::new(&program).args(args)))
    };
    let medians = in_turns(
        rounds.max(11),
        &mut [
            run(&ours, list),
            run(&plain, list),
            run(&ours, exact),
            run(&plain, exact),
        ],
    )?;
    let row = |name: &str, ours: usize, other: usize| BenchRow {
        group: "listing",
        name: name.to_owned(),
        unit: "ms",
        ours: medians[ours],
        other: medians[other],
        target: Target::AtMost(1.5),
    };
    let measured = [
        row("listing 10,000 trials vs libtest", 0, 1),
        row("running one of 10,000 by --exact vs libtest", 2, 3),
        BenchRow {
            name: "both, one after the other, vs libtest".to_owned(),
            ours: medians[0] + medians[2],
            other: medians[1] + medians[3],
            ..row("", 0, 1)
        },
    ];
    rows.add("listing", Ok(measured));
    Ok(())
}

/// Measures the supervisor's memory over a hundred thousand trials.
pub(super) fn memory(_: usize, rows: &mut MeasuredRows) -> Result<(), String> {
    const TRIALS: u32 = 100_000;
    let built = build(&["--bench", "thousand"])?;
    let program = find(&built, "thousand")?;
    let mut child = Command::new(program)
        .args(["-q", "more::"])
        .env("TRIALS", TRIALS.to_string())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut sizes = Vec::new();
    while child
        .try_wait()
        .map_err(|error| error.to_string())?
        .is_none()
    {
        sizes.extend(resident_kb(child.id()));
        thread::sleep(Duration::from_millis(500));
    }
    if !child.wait().is_ok_and(|status| status.success()) {
        return Err("a trial failed".to_owned());
    }
    // The first tenth is for warming up.
    let early = sizes[sizes.len() / 10];
    let late = sizes.last().copied().unwrap_or(early);
    let row = BenchRow {
        group: "memory",
        name: format!("the runner's memory after {TRIALS} trials vs after a tenth"),
        unit: "kB",
        ours: late,
        other: early,
        target: Target::AtMost(1.05),
    };
    rows.add("memory", Ok(row));
    Ok(())
}

fn resident_kb(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

pub(super) fn nextest_runs() -> bool {
    let version = cargo()
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

/// Returns `cargo nextest run` over the tests of a benchmark's program, with a wrapper before each
/// test if there is one.
pub(super) fn nextest_command(bench: &str, wrapper: Option<&str>) -> Command {
    let mut command = cargo();
    command.args([
        "nextest",
        "run",
        "--cargo-profile",
        "bench",
        "-p",
        "snowglobe-tests",
        "--bench",
        bench,
    ]);
    command.args([
        "--no-fail-fast",
        "--status-level",
        "none",
        "--final-status-level",
        "none",
    ]);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    if let Some(wrapper) = wrapper {
        let target = format!(
            "CARGO_TARGET_{}_RUNNER",
            host().to_uppercase().replace(['-', '.'], "_")
        );
        command.env(target, wrapper).env("UNSHARED", "1");
    }
    command
}

/// Returns the target for which programs of this machine are built.
pub(super) fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap_or("x86_64-unknown-linux-gnu").to_owned()
}
