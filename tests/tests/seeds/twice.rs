//! Two runs with one seed: `--twice`.

use snowglobe_tests::{Run, finished, run, this_program};

fn twice(name: &str) -> Run {
    let dir = snowglobe_tests::shared_dir();
    let mut command = this_program();
    let name = format!("twice_samples::{name}");
    command.env("SAMPLE_DIR", dir.path());
    command.args(["--exact", &name, "--ignored", "--twice"]);
    finished(command.output().unwrap())
}

/// The program writes the time of day as well, which differs.
#[snowglobe::test(nested)]
fn what_comes_from_the_seed_is_the_same() {
    let run = twice("draws_from_its_seed");
    run.passed_with(&["running 1 test", "two runs with its seed left the same "]);
    let lines = run.stdout.split("left the same ").nth(1).unwrap();
    let lines: u32 = lines.split(' ').next().unwrap().parse().unwrap();
    // Two addresses, the start of a program, and a line. The end of the program is one more, if the
    // program has ended before the lab.
    assert!(lines >= 4, "{run:#?}");
}

#[snowglobe::test(nested)]
fn another_event_is_shown() {
    twice("says_something_else").failed_with(&[
        "two runs with one seed differ: the first difference is event 1 of stdout of `sh` on `alice`:",
        "first run:  `sh` on `alice` wrote to stdout: red at ",
        "second run: `sh` on `alice` wrote to stdout: blue at ",
        " SNOWGLOBE_TWICE=1 ",
    ]);
}

/// Without cargo the line starts the program itself, so a shell can carry it out as it is.
#[snowglobe::test(nested)]
fn the_line_to_copy_selects_the_trial_and_compares_two_runs_of_its_seed() {
    let line = |run: &Run| {
        let line = run.stdout.split("run it again: ").nth(1).unwrap();
        line.lines().next().unwrap().to_owned()
    };
    let differs = [
        "running 1 test",
        "two runs with one seed differ: the first difference is address 1 of `eth0` of `a`:",
    ];
    let dirs = [(), ()].map(|()| snowglobe_tests::shared_dir());
    let mut first = this_program();
    first
        .env_remove("CARGO_PKG_NAME")
        .env("SAMPLE_DIR", dirs[0].path());
    let name = "twice_samples::has_another_address";
    first.args(["--exact", name, "--ignored", "--twice"]);
    let first = finished(first.output().unwrap());
    first.failed_with(&differs);
    let copied = line(&first);
    let selection = format!("--exact '{name}' --ignored");
    assert!(copied.ends_with(&selection), "{copied}");
    let mut shell = std::process::Command::new("sh");
    let shell = shell.args(["-c", &copied]);
    let shell = shell
        .env_remove("CARGO_PKG_NAME")
        .env("SAMPLE_DIR", dirs[1].path());
    let again = finished(shell.output().unwrap());
    again.failed_with(&differs);
    assert_eq!(line(&again), copied);
}

#[snowglobe::test(nested)]
fn another_address_is_shown() {
    twice("has_another_address").failed_with(&[
        "the first difference is address 1 of `eth0` of `a`:",
        " 10.1.0.1/24",
        " 10.2.0.1/24",
    ]);
}

#[snowglobe::test(nested)]
fn another_verdict_is_told() {
    twice("fails_the_second_time").failed_with(&[
        "this is the second run",
        "of two runs with one seed, only the second failed",
    ]);
}

#[snowglobe::test(nested)]
fn a_run_that_aborts_leaves_its_record() {
    twice("aborts_after_a_difference").failed_with(&[
        "both runs with this seed failed; the first difference is event 1 of stdout of `sh`",
    ]);
}

#[snowglobe::test(nested)]
fn twice_and_many_seeds_exclude_each_other() {
    let run = run(&["--twice", "--runs", "3"]);
    assert_eq!(run.code, Some(64), "{run:#?}");
    let said = "--runs (SNOWGLOBE_RUNS) and --twice (SNOWGLOBE_TWICE) exclude each other";
    assert!(run.stderr.contains(said), "{run:#?}");
}

#[snowglobe::test(nested)]
fn a_switch_with_another_value_is_refused() {
    for variable in ["SNOWGLOBE_TWICE", "SNOWGLOBE_REQUIRE"] {
        let run = finished(this_program().env(variable, "x").output().unwrap());
        assert_eq!(run.code, Some(64), "{run:#?}");
        let said = format!("{variable} is `x`: give 1 to turn it on, or 0");
        assert!(run.stderr.contains(&said), "{run:#?}");
    }
}

#[snowglobe::test(nested)]
fn a_schedule_is_compared_with_its_times() {
    twice("has_another_schedule").failed_with(&[
        "the first difference is schedule 1 of the schedule:",
        "first run:  at 0s for 20ms: pause of node `alice`",
        "second run: at 0s for 21ms: pause of node `alice`",
    ]);
    twice("draws_a_schedule").passed_with(&["two runs with its seed left the same "]);
}

/// Schedules that a test draws by itself come from the trial's seed as those that are carried out.
#[snowglobe::test(nested)]
fn schedules_that_a_test_draws_come_from_the_seed() {
    let dir = snowglobe_tests::shared_dir();
    let drawn = |seed: &str, file: &str| {
        let file = dir.path().join(file);
        let mut command = this_program();
        command
            .env("SNOWGLOBE_SEED", seed)
            .env("SAMPLE_FILE", &file);
        command.args(["--exact", "twice_samples::draws_two_schedules", "--ignored"]);
        finished(command.output().unwrap()).passed_with(&["running 1 test"]);
        std::fs::read_to_string(file).unwrap()
    };
    let first = drawn("11", "first");
    assert!(!first.is_empty());
    assert_eq!(drawn("11", "again"), first);
    assert_ne!(drawn("12", "other"), first);
}
