//! Copies of a trial run side by side, until one of them fails.

use snowglobe_tests::{Run, finished, run, this_program};

fn stress(sample: &str, args: &[&str]) -> Run {
    let all = [&["--exact", sample, "--ignored"][..], args].concat();
    run(&all)
}

#[snowglobe::test(nested)]
fn a_trial_that_never_fails_says_what_that_tells() {
    let said = "none of 200 runs failed: the rate is at most 1.9 % (95 % confidence)";
    stress("samples::passes", &["--stress", "200"]).passed_with(&[
        "running 1 test",
        said,
        "1 passed; 0 failed",
    ]);
}

/// The line to copy has the seed of the copy that failed, and not of the run.
#[snowglobe::test(nested)]
fn the_first_failure_is_kept_with_the_rate_and_can_be_repeated() {
    let sample = "samples::fails_with_one_seed_in_ten";
    let run = stress(sample, &["--stress", "10000", "--seed", "7"]);
    run.failed_with(&[
        "an unlucky seed",
        "runs failed",
        "% confidence",
        "0 passed; 1 failed",
    ]);
    let note = run.stdout.split("note: ").nth(1).unwrap();
    let words: Vec<&str> = note.split(' ').collect();
    let (failures, runs): (u64, u64) = (words[0].parse().unwrap(), words[2].parse().unwrap());
    // Those that ran when the first one failed have ended as well.
    assert!(failures >= 1 && failures < runs && runs < 1000, "{note}");
    let again = run.stdout.split("SNOWGLOBE_SEED=").nth(1).unwrap();
    let seed = again.split(' ').next().unwrap();
    assert_ne!(seed, "7", "the first copy passes with this seed");
    for _ in 0..3 {
        stress(sample, &["--seed", seed]).failed_with(&["an unlucky seed"]);
    }
}

#[snowglobe::test(nested)]
fn copies_run_side_by_side() {
    let dir = snowglobe_tests::shared_dir();
    let run = |args: &[&str]| {
        let mut command = this_program();
        command.env("SAMPLE_DIR", dir.path());
        command.args(["--exact", "samples::meets_three_copies", "--ignored"]);
        finished(command.args(args).output().unwrap())
    };
    run(&["--timeout", "500ms"]).failed_with(&["timed out"]);
    for file in std::fs::read_dir(dir.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    run(&["--stress", "4", "--test-threads", "4"]).passed_with(&["none of 4 runs failed"]);
}

#[snowglobe::test(nested)]
fn several_trials_share_the_time_and_each_has_its_result() {
    let mut command = this_program();
    command.env("SNOWGLOBE_STRESS", "300ms");
    command.args(["--ignored", "--exact", "samples::passes", "samples::panics"]);
    let run = finished(command.output().unwrap());
    run.failed_with(&["runs failed: the rate is at least", "1 passed; 1 failed"]);
    let passed = run.stdout.split("none of ").nth(1).unwrap();
    let runs: u64 = passed.split(' ').next().unwrap().parse().unwrap();
    assert!(runs > 1, "{}", run.stdout);
}

#[snowglobe::test(nested)]
fn a_length_that_is_none_is_refused() {
    for (length, said) in [
        ("0", "nothing would run"),
        ("0s", "nothing would run"),
        (
            "often",
            "a number of runs such as 1000, or a time such as 30s",
        ),
    ] {
        let run = run(&["--stress", length]);
        assert_eq!(run.code, Some(64), "{run:#?}");
        assert!(run.stderr.contains(said), "{run:#?}");
    }
}
