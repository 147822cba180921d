//! cargo, nextest, IDEs and people use the same command line.

use snowglobe_tests::{finished, run, this_program};

#[snowglobe::test(nested)]
fn listing_is_what_nextest_wants() {
    let run = run(&["--list", "--format", "terse"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(
        run.stdout.lines().all(|line| line.ends_with(": test")),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("samples::passes: test\n"));
    assert!(run.stdout.contains("parameters::udp::port_80: test\n"));
}

#[snowglobe::test(nested)]
fn listing_the_ignored_ones_lists_them_alone() {
    let run = run(&["--list", "--format", "terse", "--ignored"]);
    assert!(run.stdout.contains("samples::passes: test\n"));
    assert!(!run.stdout.contains("command_line::"), "{}", run.stdout);
}

#[snowglobe::test(nested)]
fn listing_prettily_ends_with_a_count() {
    run(&["--list", "samples::aborts"])
        .passed_with(&["samples::aborts: test\n\n1 test, 0 benchmarks\n"]);
}

#[snowglobe::test(nested)]
fn listing_as_json_tells_where_each_is() {
    let run = run(&[
        "--list",
        "--format",
        "json",
        "-Z",
        "unstable-options",
        "samples::aborts",
    ]);
    let events: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[1]["name"], "samples::aborts");
    assert_eq!(events[1]["ignore"], true);
    assert!(
        events[1]["source_path"]
            .as_str()
            .unwrap()
            .ends_with("samples.rs")
    );
    assert_eq!(events[2]["total"], 1);
}

#[snowglobe::test(nested)]
fn a_reader_of_the_list_may_leave_early() {
    let program = std::env::current_exe().unwrap();
    let script = format!("{} --list | head -1", program.display());
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[snowglobe::test(nested)]
fn everything_that_cargo_test_may_pass_on_is_taken() {
    let args = "--test --show-output --test-threads 2 --color never -Z unstable-options \
                --report-time --shuffle --shuffle-seed 3 --fail-fast --skip panics \
                --include-ignored samples::passes samples::has_no_such";
    let args: Vec<&str> = args.split_whitespace().collect();
    run(&args).passed_with(&[
        "(shuffle seed: 3)",
        "test samples::passes ... ok <",
        "1 passed",
    ]);
}

#[snowglobe::test(nested)]
fn bad_arguments_are_one_sentence_and_a_status_of_their_own() {
    for (args, named) in [
        (&["--bogus"][..], "--bogus"),
        (&["--test-threads", "0"], "--test-threads is 0"),
        (&["--timeout", "soon"], "`soon`"),
        (&["--format", "yaml"], "`yaml`"),
        (&["--ignored", "--include-ignored"], "exclude each other"),
    ] {
        let run = run(args);
        assert_eq!(run.code, Some(64), "{args:?}: {run:#?}");
        assert!(
            run.stderr.starts_with("error: ") && run.stderr.contains(named),
            "{}",
            run.stderr
        );
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}

#[snowglobe::test(nested)]
fn a_bad_environment_is_named_as_well() {
    for (key, value) in [
        ("SNOWGLOBE_TIMEOUT", "soon"),
        ("RUST_TEST_THREADS", "0"),
        ("SNOWGLOBE_SEED", "x"),
    ] {
        let run = finished(this_program().env(key, value).output().unwrap());
        assert_eq!(run.code, Some(64), "{run:#?}");
        assert!(
            run.stderr.contains(key) && run.stderr.contains(value),
            "{}",
            run.stderr
        );
    }
}

#[snowglobe::test(nested)]
fn filters_that_match_nothing_run_nothing_and_pass() {
    run(&["--exact", "no::such::trial"]).passed_with(&["running 0 tests", "0 passed; 0 failed"]);
}

#[snowglobe::test(nested)]
fn under_nextest_a_name_that_is_gone_is_no_pass() {
    let output = this_program()
        .args(["--exact", "no::such::trial", "--nocapture"])
        .env("NEXTEST_EXECUTION_MODE", "process-per-test")
        .output();
    let run = finished(output.unwrap());
    assert_eq!(run.code, Some(64), "{run:#?}");
    assert!(
        run.stderr
            .contains("`no::such::trial` was never registered"),
        "{}",
        run.stderr
    );
}

#[snowglobe::test(nested)]
fn terse_is_a_character_a_trial() {
    let run = run(&[
        "-q",
        "--include-ignored",
        "samples::passes",
        "samples::panics_with",
    ]);
    assert_eq!(run.code, Some(101));
    let marks = run.stdout.lines().nth(2).unwrap();
    let mut marks: Vec<char> = marks.chars().collect();
    marks.sort_unstable();
    assert_eq!(marks, ['.', '.', 'F'], "{}", run.stdout);
}

#[snowglobe::test(nested)]
fn json_is_an_event_a_line() {
    let run = run(&[
        "--format",
        "json",
        "--include-ignored",
        "samples::panics",
        "samples::passes",
    ]);
    let events: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let of = |name: &str, event: &str| {
        events
            .iter()
            .find(|e| e["name"] == name && e["event"] == event)
            .cloned()
            .unwrap_or_default()
    };
    assert_eq!(events[0]["event"], "started");
    assert_eq!(of("samples::passes", "ok")["type"], "test");
    let failed = of("samples::panics", "failed");
    assert!(
        failed["stdout"]
            .as_str()
            .unwrap()
            .contains("to stdout\nto stderr\n")
    );
    assert!(failed["message"].as_str().unwrap().contains("as it should"));
    assert_eq!(events.last().unwrap()["failed"], 2);
}

#[snowglobe::test(nested)]
fn junit_is_one_document() {
    let run = run(&[
        "--format",
        "junit",
        "--include-ignored",
        "samples::panics",
        "samples::passes",
    ]);
    assert!(run.stdout.starts_with("<?xml"), "{}", run.stdout);
    assert!(
        run.stdout
            .contains(r#"<testcase classname="samples" name="passes""#),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains(r#"<failure type="assert" message="panicked: as it should">"#),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains(r#"failures="2" tests="4""#),
        "{}",
        run.stdout
    );
}

#[snowglobe::test(nested)]
fn a_log_file_has_a_line_a_trial() {
    let path = std::path::Path::new("/tmp/log");
    run(&[
        "--logfile",
        "/tmp/log",
        "--exact",
        "samples::passes",
        "--ignored",
    ])
    .passed_with(&[]);
    // The runner itself is outside of the sandbox that it makes, and this trial is in one: so both
    // have the same `/tmp`.
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        "ok samples::passes\n"
    );
}

#[snowglobe::test(nested)]
fn help_names_every_option_and_status() {
    run(&["--help"]).passed_with(&[
        "--test-threads",
        "--shuffle-seed",
        "SNOWGLOBE_TIMEOUT",
        "101",
    ]);
}

/// The output looks like libtest-mimic's, and so like libtest's: both print a run of one trial that
/// passes.
#[snowglobe::test(nested)]
fn the_lines_are_those_of_libtest_mimic() {
    let run = run(&[
        "--color",
        "never",
        "--exact",
        "samples::prints_what_libtest_mimic_prints",
        "--ignored",
        "--nocapture",
    ]);
    run.passed_with(&["test shown_by_libtest_mimic ... ok"]);
    for beginning in ["running ", "test result: "] {
        let lines: Vec<String> = run
            .stdout
            .lines()
            .filter(|line| line.starts_with(beginning))
            .map(|line| {
                line.split(|c: char| c.is_ascii_digit())
                    .filter(|s| !s.is_empty())
                    .collect()
            })
            .collect();
        assert_eq!(lines.len(), 2, "{}", run.stdout);
        assert_eq!(lines[0], lines[1], "{}", run.stdout);
    }
}

/// Within a trial, each of several trials runs in a process of its own, which has the options of
/// the run.
#[snowglobe::test]
fn a_run_within_a_trial_passes_its_options_on() {
    let trials = ["samples::panics", "samples::passes"];
    let options = ["--time-scale", "3", "--include-ignored", "--exact"];
    let run = run(&[&options[..], &trials].concat());
    assert_eq!(run.code, Some(101), "{run:#?}");
    assert!(run.stdout.contains("1 passed; 1 failed"), "{run:#?}");
    // The process of the trial prints a line to copy, and so does this run.
    let lines = run.stdout.matches("SNOWGLOBE_TIME_SCALE=3").count();
    assert_eq!(lines, 2, "{run:#?}");
}

/// A program that a trial has started makes no sandboxes.
#[snowglobe::test]
fn a_run_within_a_trial_refuses_options_that_take_sandboxes() {
    let case = ["--exact", "samples::passes", "--include-ignored"];
    for option in [
        &["--runs", "3"][..],
        &["--stress", "3"],
        &["--twice"],
        &["--shrink"],
        &["--timeout", "9s"],
        &["--user", "nobody"],
    ] {
        let run = run(&[&case[..], option].concat());
        assert_eq!(run.code, Some(64), "{option:?}");
        let sentence = format!("{} (SNOWGLOBE_", option[0]);
        assert!(run.stderr.contains(&sentence), "{}", run.stderr);
        assert!(run.stderr.contains("`nested`"), "{}", run.stderr);
    }
    // The variables are for the run of the trial.
    let mut program = this_program();
    let variables = [("SNOWGLOBE_RUNS", "3"), ("SNOWGLOBE_USER", "nobody")];
    program.args(case).envs(variables);
    finished(program.output().unwrap()).passed_with(&["1 passed"]);
}
