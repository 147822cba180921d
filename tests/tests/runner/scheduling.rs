//! Seeds, timeouts, requirements and order are the runner's part.

mod nextest;
mod resident;
mod stress;

use snowglobe_tests::{finished, run, sample, this_program};

#[snowglobe::test(nested)]
fn a_trial_that_hangs_shows_where_and_is_killed() {
    sample("samples::hangs").failed_with(&[
        "timed out after 2s",
        "waiting for nobody",
        "thread 'samples::hangs' hangs here:",
        "samples.rs:",
        "what hangs:",
        "accept4(fd",
        "tcp 127.0.0.1:80 listening",
        "sleep 1000",
    ]);
}

/// Returns the lines of the backtrace of a sample that hangs.
fn backtrace(name: &str, style: &str) -> Vec<String> {
    let mut program = this_program();
    program.args(["--exact", name, "--include-ignored"]);
    let run = finished(program.env("RUST_BACKTRACE", style).output().unwrap());
    let (_, said) = run.stdout.split_once("hangs here:\n").expect(name);
    let lines = said
        .lines()
        .take_while(|line| !line.starts_with("timed out"));
    lines.map(ToOwned::to_owned).collect()
}

#[snowglobe::test(nested)]
fn the_backtrace_of_a_trial_that_hangs_has_the_frames_of_the_test() {
    for name in ["samples::hangs", "samples::hangs_async"] {
        let lines = backtrace(name, "0");
        let (count, frames) = lines.split_last().expect(name);
        assert!(count.is_empty(), "{lines:#?}");
        let (count, frames) = frames.split_last().expect(name);
        assert!(count.starts_with("left out: "), "{lines:#?}");
        let places: Vec<_> = frames
            .iter()
            .filter(|line| line.trim().starts_with("at "))
            .collect();
        assert!(!places.is_empty(), "{lines:#?}");
        for place in places {
            assert!(place.contains("runner/samples.rs:"), "{lines:#?}");
        }
    }
    let full = backtrace("samples::hangs", "full");
    assert!(full.len() > 30, "{full:#?}");
    assert!(
        full.iter().any(|line| line.contains("write_down_where")),
        "{full:#?}"
    );
}

#[snowglobe::test(nested)]
fn an_async_trial_that_hangs_is_killed_too() {
    sample("samples::hangs_async").failed_with(&["timed out after 2s", "epoll_wait"]);
}

#[snowglobe::test(nested)]
fn the_default_timeout_can_be_set() {
    let dir = snowglobe_tests::shared_dir();
    for (args, environment) in [(&["--timeout", "200ms"][..], None), (&[], Some("200ms"))] {
        let mut command = this_program();
        command
            .args(["--exact", "samples::waits_long", "--ignored"])
            .args(args);
        command.env("SAMPLE_DIR", dir.path());
        if let Some(limit) = environment {
            command.env("SNOWGLOBE_TIMEOUT", limit);
        }
        finished(command.output().unwrap()).failed_with(&["timed out after 200ms"]);
    }
}

#[snowglobe::test(nested)]
fn a_seed_is_what_was_asked_for() {
    sample("samples::has_a_seed").failed_with(&["seed 42\n"]);
}

#[snowglobe::test(nested)]
fn a_derived_seed_is_the_same_for_the_same_run_seed() {
    let derived = |seed: &str| {
        let args = [
            "--exact",
            "samples::has_a_derived_seed",
            "--ignored",
            "--seed",
            seed,
        ];
        let run = run(&args);
        let line = run
            .stdout
            .lines()
            .find(|line| line.starts_with("derived "))
            .unwrap()
            .to_owned();
        // The failure's own header and the line to copy lead to the same seed.
        assert!(
            run.stdout.contains(&format!("SNOWGLOBE_SEED={seed} ")),
            "{}",
            run.stdout
        );
        assert!(
            run.stdout.contains(&line.replace("derived", "seed")),
            "{}",
            run.stdout
        );
        line
    };
    assert_eq!(derived("5"), derived("5"));
    assert_ne!(derived("5"), derived("6"));
}

/// A name that was mistyped is no fixture that this machine lacks.
#[snowglobe::test(nested)]
fn a_fixture_that_no_manifest_declares_fails_its_trial() {
    let dir = snowglobe_tests::shared_dir();
    let (declaring, broken) = (dir.path().join("a.toml"), dir.path().join("b.toml"));
    std::fs::write(&declaring, "[other.deb]\npackages = [\"hello\"]\n").unwrap();
    std::fs::write(&broken, "[other").unwrap();
    for (manifest, told) in [
        (&declaring, "there is no fixture `no-such-fixture`"),
        (&broken, "b.toml"),
        (&dir.path().join("none.toml"), "none.toml"),
    ] {
        let mut command = this_program();
        command
            .env("SAMPLE_NEEDS", "1")
            .env("SNOWGLOBE_FIXTURES", manifest)
            .args(["--exact", "samples::needs_a_fixture"]);
        finished(command.output().unwrap()).failed_with(&["FAILED", told, "1 failed; 0 ignored"]);
    }
}

#[snowglobe::test(nested)]
fn what_is_missing_makes_a_trial_ignored_with_the_reason() {
    let dir = snowglobe_tests::shared_dir();
    let manifest = dir.path().join("fixtures.toml");
    let declared = "[no-such-fixture.deb]\npackages = [\"hello\"]\n";
    std::fs::write(&manifest, declared).unwrap();
    let run = |args: &[&str], required: &str| {
        let mut command = this_program();
        command
            .env("SAMPLE_NEEDS", "1")
            .env("SNOWGLOBE_FIXTURES", &manifest)
            .env("SNOWGLOBE_REQUIRE", required)
            .args(args);
        finished(command.output().unwrap())
    };
    let exact = ["--exact", "samples::needs_a_fixture"];
    run(&exact, "0").passed_with(&["... ignored, ", "no-such-fixture", "1 ignored"]);
    run(&exact, "1").failed_with(&["FAILED", "no-such-fixture"]);
    let listed = run(&["--list", "--format", "terse", "--ignored"], "0");
    assert!(
        listed.stdout.contains("samples::needs_a_fixture: test\n"),
        "{}",
        listed.stdout
    );
}

#[snowglobe::test(nested)]
fn after_a_failure_fail_fast_starts_nothing_more() {
    let args = [
        "--fail-fast",
        "--test-threads",
        "1",
        "--include-ignored",
        "samples::panics",
        "samples::passes",
    ];
    run(&args).failed_with(&["0 passed; 1 failed"]);
}

#[snowglobe::test(nested)]
fn one_at_a_time_is_named_when_it_starts() {
    let dir = snowglobe_tests::shared_dir();
    let mut child = this_program()
        .args([
            "--test-threads",
            "1",
            "--exact",
            "samples::waits_long",
            "--ignored",
        ])
        .env("SAMPLE_DIR", dir.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    assert!(snowglobe_tests::wait_for_file(&dir.path().join("started")));
    child.kill().unwrap();
    let output = finished(child.wait_with_output().unwrap());
    assert!(
        output.stdout.contains("test samples::waits_long ... "),
        "{}",
        output.stdout
    );
}

#[snowglobe::test(nested)]
fn groups_weights_and_the_machine_to_oneself_keep_others_away() {
    let run = |filter: &str| {
        let dir = snowglobe_tests::shared_dir();
        let args = [filter, "--include-ignored", "--test-threads", "4"];
        let mut command = this_program();
        command.args(args).env("SAMPLE_DIR", dir.path());
        finished(command.output().unwrap())
    };
    run("samples::lonely").passed_with(&["4 passed"]);
    // Without the option, the trials meet.
    run("samples::not_alone").failed_with(&["File exists"]);
}
