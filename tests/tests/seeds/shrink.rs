//! `--shrink`: the smallest schedule of faults with which a trial still fails.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use snowglobe::fault::Schedule;
use snowglobe::prelude::*;
use snowglobe_tests::{Run, finished, program_at, run, this_program, wait_for_file};

fn shrink(name: &str, args: &[&str]) -> Run {
    let dir = snowglobe_tests::shared_dir();
    let mut command = this_program();
    let name = format!("shrink_samples::{name}");
    command.env("SAMPLE_DIR", dir.path());
    command
        .args(["--exact", &name, "--ignored", "--shrink"])
        .args(args);
    finished(command.output().unwrap())
}

/// Returns the schedule in TOML that a report has.
fn toml(run: &Run) -> String {
    let text = run.stdout.split("in a regression test:\n").nth(1).unwrap();
    text.split("run it again with").next().unwrap().to_owned()
}

/// Runs the line to copy that has the schedule, without cargo.
fn replay(run: &Run) -> Run {
    let line = run.stdout.split("run it again with this schedule: ").nth(1);
    let line = line.unwrap().lines().next().unwrap();
    let path = line.split('\'').nth(1).unwrap();
    let seed = line
        .split("SNOWGLOBE_SEED=")
        .nth(1)
        .unwrap()
        .split(' ')
        .next();
    let name = line.split("--exact '").nth(1).unwrap().split('\'').next();
    let mut command = this_program();
    command.env("SNOWGLOBE_SCHEDULE", path);
    command.env("SNOWGLOBE_SEED", seed.unwrap());
    command.args(["--exact", name.unwrap(), "--ignored"]);
    finished(command.output().unwrap())
}

#[snowglobe::test(nested, timeout = "400s")]
fn the_two_faults_that_matter_are_left_and_fail_again_by_their_line() {
    let run = shrink("fails_under_two_of_many_faults", &[]);
    run.failed_with(&[
        "bob was paused and deaf",
        ": of 7 faults, 2 are left; the trial failed in 9 of ",
        "(asked for: 9 of 10)",
        "1 failed",
    ]);
    let left = Schedule::from_toml(&toml(&run)).unwrap();
    let text = left.to_string();
    assert!(text.contains("pause of node `bob`"), "{text}");
    assert!(text.contains("partition of `bob` from `alice`"), "{text}");
    for fault in left.faults() {
        // Both began with 40 ms.
        assert!(fault.lasts.unwrap().as_millis() < 40, "{text}");
    }
    for _ in 0..3 {
        replay(&run).failed_with(&["bob was paused and deaf"]);
    }
}

#[snowglobe::test(nested, timeout = "400s")]
fn a_schedule_that_a_seed_has_drawn_is_shrunk_to_one_fault() {
    let run = shrink(
        "fails_where_bob_is_paused",
        &["--runs", "20", "--seed", "1"],
    );
    run.failed_with(&[
        "bob was paused",
        "1 is left; the trial failed in ",
        "1 failed",
    ]);
    let left = Schedule::from_toml(&toml(&run)).unwrap();
    assert!(left.to_string().contains("pause of node `bob`"), "{left}");
    replay(&run).failed_with(&["bob was paused"]);
}

/// Each run of the search, and the line to copy, has the options that the verdict depends on.
#[snowglobe::test(nested, timeout = "400s")]
fn runs_of_a_search_have_the_settings_of_the_first_run() {
    let args = ["--user", "4242", "--timeout", "90s", "--time-scale", "1.5"];
    let run = shrink("fails_as_an_ordinary_user", &args);
    run.failed_with(&[
        "an ordinary user",
        ": of 2 faults, 1 is left; the trial failed in ",
        " SNOWGLOBE_TIMEOUT=90000ms SNOWGLOBE_USER=4242 SNOWGLOBE_TIME_SCALE=1.5 ",
    ]);
}

#[snowglobe::test(nested, timeout = "200s")]
fn a_trial_that_needs_no_fault_to_fail_is_told() {
    let run = shrink("fails_without_faults", &["--format", "json"]);
    assert_eq!(run.code, Some(101), "{run:#?}");
    let said = "the trial fails without any of its 1 fault, in";
    assert!(run.stdout.contains(said), "{run:#?}");
}

#[snowglobe::test(nested, timeout = "200s")]
fn a_trial_that_seldom_fails_without_faults_is_told() {
    let run = shrink("fails_seldom_without_faults", &[]);
    run.failed_with(&[
        ": of 1 fault, 1 is left; the trial failed in ",
        "the trial failed without any fault too, in 1 of 30 runs: the faults that are left may not be the cause",
    ]);
}

#[snowglobe::test(nested, timeout = "200s")]
fn a_failure_that_does_not_come_again_is_told() {
    let said = "not shrunk: with its schedule, the trial did not fail again in 10 runs";
    shrink("fails_the_first_time", &[]).failed_with(&["the first run", said]);
}

#[snowglobe::test(nested)]
fn nothing_is_searched_for_after_the_signal_that_ended_the_run() {
    let dir = snowglobe_tests::shared_dir();
    let names = ["fails_the_first_time", "waits_long"].map(|it| format!("shrink_samples::{it}"));
    let child = this_program()
        .env("SAMPLE_DIR", dir.path())
        .args(["--exact", "--ignored", "--shrink", "--test-threads", "2"])
        .args(names)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(wait_for_file(&dir.path().join("run-0")));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let run = finished(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(128 + 2), "{run:#?}");
    let said = "not shrunk: interrupted\n";
    assert!(run.stdout.contains(said), "{run:#?}");
}

#[snowglobe::test(nested)]
fn a_trial_without_a_schedule_is_reported_as_ever() {
    let run = shrink("fails_by_itself", &[]);
    run.failed_with(&["as it should", "1 failed"]);
    assert!(!run.stdout.contains("shrunk"), "{run:#?}");
}

#[snowglobe::test(nested)]
fn shrinking_and_stress_exclude_each_other() {
    for other in [&["--stress", "3"][..], &["--twice"]] {
        let run = run(&[&["--shrink"][..], other].concat());
        assert_eq!(run.code, Some(64), "{run:#?}");
        let said = format!("--shrink (SNOWGLOBE_SHRINK) and {} exclude", other[0]);
        assert!(run.stderr.contains(&said), "{run:#?}");
    }
}

/// A copy of a test program keeps no schedule that could be made shorter, and says so.
#[snowglobe::test(nested)]
fn a_program_outside_of_a_target_directory_says_that_it_does_not_shrink() -> TestResult {
    let dir = tempfile::tempdir()?;
    let copy = dir.path().join("copy");
    std::fs::copy(std::env::current_exe()?, &copy)?;
    let mut command = program_at(&copy);
    command.env("SAMPLE_DIR", dir.path());
    command.args([
        "--exact",
        "shrink_samples::fails_under_two_of_many_faults",
        "--ignored",
        "--shrink",
    ]);
    let run = finished(command.output()?);
    let text = "there is no target directory above `";
    run.failed_with(&[
        &format!("note: the schedule cannot be kept: {text}"),
        &format!("not shrunk: {text}"),
    ]);
    Ok(())
}
