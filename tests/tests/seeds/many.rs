//! Many seeds side by side: `--runs`, the option `seeds`, and what the reports say.

use std::collections::BTreeSet;

use snowglobe_tests::{Run, finished, run, this_program};
use tempfile::TempDir;

const UNLUCKY: &str = "samples::fails_with_one_seed_in_ten";

/// Runs a sample that leaves its seeds in `dir`.
fn sample(dir: &TempDir, name: &str, args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = this_program();
    command.env("SAMPLE_DIR", dir.path());
    command.envs(variables.iter().copied());
    command.args(["--exact", name, "--ignored"]).args(args);
    finished(command.output().unwrap())
}

/// Returns the seeds that runs have left.
fn seeds(dir: &TempDir) -> Vec<u64> {
    let text = std::fs::read_to_string(dir.path().join("seeds")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Returns the seeds of the lines to copy.
fn lines_to_copy(run: &Run) -> Vec<&str> {
    let lines = run.stdout.split("SNOWGLOBE_SEED=").skip(1);
    lines.map(|line| line.split(' ').next().unwrap()).collect()
}

#[snowglobe::test(nested)]
fn a_trial_runs_with_as_many_seeds_as_it_says() {
    let dir = snowglobe_tests::shared_dir();
    sample(&dir, "samples::has_twenty_seeds", &[], &[]).passed_with(&[
        "running 1 test",
        "ok (note: passed with 20 seeds)",
        "1 passed; 0 failed",
    ]);
    let all = seeds(&dir);
    let different: BTreeSet<&u64> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (20, 20), "{all:?}");
}

#[snowglobe::test(nested)]
fn a_seed_that_is_asked_for_is_the_only_one() {
    let dir = snowglobe_tests::shared_dir();
    let twenty = "samples::has_twenty_seeds";
    sample(&dir, twenty, &[], &[("SNOWGLOBE_SEED", "7")]).passed_with(&["1 passed"]);
    let once = seeds(&dir);
    assert_eq!(once.len(), 1);
    let both = [("SNOWGLOBE_SEED", "7"), ("SNOWGLOBE_RUNS", "3")];
    sample(&dir, twenty, &[], &both).passed_with(&["passed with 3 seeds"]);
    let all = seeds(&dir);
    assert!(all.len() == 4 && all[1..].contains(&once[0]), "{all:?}");
}

#[snowglobe::test(nested)]
fn the_first_failure_of_many_seeds_is_kept_and_repeats_by_its_line() {
    let dir = snowglobe_tests::shared_dir();
    let run = sample(&dir, UNLUCKY, &["--runs", "10000", "--seed", "7"], &[]);
    run.failed_with(&[
        "an unlucky seed",
        "seeds failed, of 10000 that were to run",
        "run it again: SNOWGLOBE_SEED=",
        "0 passed; 1 failed",
    ]);
    let ran = seeds(&dir);
    assert!(
        ran.len() < 1000,
        "it goes on after a failure: {}",
        ran.len()
    );
    let failed = lines_to_copy(&run);
    let unlucky = ran.iter().filter(|seed| seed.is_multiple_of(10)).count();
    assert_eq!(failed.len(), unlucky, "one line for each seed that failed");
    for seed in failed {
        sample(&dir, UNLUCKY, &["--seed", seed], &[]).failed_with(&["an unlucky seed"]);
    }
}

#[snowglobe::test(nested)]
fn reports_for_programs_tell_the_seeds_that_failed() {
    let dir = snowglobe_tests::shared_dir();
    let line = |format| ["--runs", "10000", "--seed", "7", "--format", format];
    let json = sample(&dir, UNLUCKY, &line("json"), &[]);
    let events = json.stdout.lines().map(serde_json::from_str);
    let events: Vec<serde_json::Value> = events.map(Result::unwrap).collect();
    let failed = events.iter().find(|event| event["event"] == "failed");
    let failed = failed.unwrap();
    let told = failed["failed_seeds"].as_array().unwrap();
    assert_eq!(told[0], failed["run_seed"]);
    let junit = sample(&dir, UNLUCKY, &line("junit"), &[]);
    assert!(
        junit
            .stdout
            .contains(r#"<property name="failed_seed" value=""#),
        "{junit:#?}"
    );
}

#[snowglobe::test(nested)]
fn a_fixed_seed_runs_once() {
    let dir = snowglobe_tests::shared_dir();
    sample(&dir, "samples::has_a_fixed_seed", &["--runs", "9"], &[])
        .passed_with(&["its seed is fixed, so it ran once"]);
    assert_eq!(seeds(&dir), [42]);
}

#[snowglobe::test(nested)]
fn wrong_seeds_and_numbers_of_seeds_are_refused() {
    for (args, said) in [
        (&["--runs", "0"][..], "--runs is `0`: nothing would run"),
        (&["--runs", "some"], "give a number of seeds, such as 200"),
        (
            &["--seed", "x"],
            "--seed is `x`: give a whole number below 2^64, as in 42",
        ),
        (&["--runs", "3", "--stress", "3"], "exclude each other"),
    ] {
        let run = run(args);
        assert_eq!(run.code, Some(64), "{run:#?}");
        assert!(run.stderr.contains(said), "{run:#?}");
    }
    for (variable, value) in [("SNOWGLOBE_RUNS", "0"), ("SNOWGLOBE_SEED", "0xg")] {
        let output = this_program().env(variable, value).output().unwrap();
        let run = finished(output);
        assert_eq!(run.code, Some(64), "{run:#?}");
        let said = format!("{variable} is `{value}`: ");
        assert!(run.stderr.contains(&said), "{run:#?}");
    }
}

/// nextest starts the program for one test at a time, always with `--nocapture`.
#[snowglobe::test(nested)]
fn under_nextest_only_the_first_failure_is_shown() {
    let dir = snowglobe_tests::shared_dir();
    let nextest = [
        ("NEXTEST", "1"),
        ("NEXTEST_EXECUTION_MODE", "process-per-test"),
        ("SNOWGLOBE_RUNS", "10000"),
        ("SNOWGLOBE_SEED", "7"),
    ];
    let run = sample(&dir, UNLUCKY, &["--nocapture"], &nextest);
    run.failed_with(&["seeds failed, of 10000 that were to run"]);
    assert_eq!(run.stdout.matches("an unlucky seed").count(), 1, "{run:#?}");
    assert!(!run.stderr.contains("an unlucky seed"), "{run:#?}");
}
