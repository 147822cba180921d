//! Trials with many seeds under the standard harness.

mod samples {
    include!("shared/seeds.rs");
}

use snowglobe_tests::{Run, finished, this_program};

fn sample(name: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = this_program();
    command.envs(variables.iter().copied());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    finished(command.output().unwrap())
}

#[test]
fn seeds_run_side_by_side_and_each_failure_has_a_line() {
    let name = "samples::fails_with_one_seed_in_ten";
    let run = sample(
        name,
        &[("SNOWGLOBE_RUNS", "10000"), ("SNOWGLOBE_SEED", "7")],
    );
    run.failed_with(&["an unlucky seed", "seeds failed, of 10000 that were to run"]);
    let line = run.stdout.split("run it again: SNOWGLOBE_SEED=").nth(1);
    let seed = line.unwrap().split(' ').next().unwrap();
    let again = sample(name, &[("SNOWGLOBE_SEED", seed)]);
    again.failed_with(&["1 failed"]);
    // What a single run writes goes straight through.
    assert!(again.stderr.contains("an unlucky seed"), "{again:#?}");
}

#[test]
fn a_trial_has_the_seeds_of_its_option() {
    sample("samples::has_twenty_seeds", &[]).passed_with(&["note: passed with 20 seeds"]);
}

#[test]
fn a_number_of_seeds_that_is_none_fails_the_test() {
    let run = sample("samples::has_twenty_seeds", &[("SNOWGLOBE_RUNS", "0")]);
    assert_eq!(run.code, Some(101), "{run:#?}");
    assert!(
        run.stderr
            .contains("SNOWGLOBE_RUNS is `0`: nothing would run"),
        "{run:#?}"
    );
}

#[test]
fn waits_are_stretched_here_too() {
    let run = sample("samples::waits_in_vain", &[("SNOWGLOBE_TIME_SCALE", "2")]);
    assert_eq!(run.code, Some(101), "{run:#?}");
    let said = "waited 80ms in vain for a condition; last seen: the door is closed";
    assert!(run.stderr.contains(said), "{run:#?}");
    let wrong = sample("samples::waits_in_vain", &[("SNOWGLOBE_TIME_SCALE", "x")]);
    assert!(
        wrong
            .stderr
            .contains("SNOWGLOBE_TIME_SCALE is `x`: give a number from 1 on"),
        "{wrong:#?}"
    );
}

#[test]
fn a_schedule_is_shrunk_here_too() {
    let name = "samples::fails_under_one_of_two_faults";
    let run = sample(name, &[("SNOWGLOBE_SHRINK", "1")]);
    run.failed_with(&[
        "of 2 faults, 1 is left; the trial failed in 9 of ",
        "pause of node `bob`",
        "run it again with this schedule: SNOWGLOBE_SCHEDULE='",
    ]);
}
