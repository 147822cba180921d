//! A report that nobody could read is no pass.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use snowglobe_tests::{Run, finished, this_program};

/// Runs samples that pass, with this file for stdout.
fn written_to(path: &str, args: &[&str]) -> Run {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let output = this_program().args(args).stdout(file).output();
    finished(output.unwrap())
}

const PASSES: [&str; 3] = ["--exact", "samples::passes", "--ignored"];

#[snowglobe::test(nested)]
fn a_full_disk_below_stdout_fails_the_run() {
    for format in ["pretty", "terse", "json", "junit"] {
        let run = written_to("/dev/full", &[&PASSES[..], &["--format", format]].concat());
        assert_eq!(run.code, Some(74), "{format}: {run:#?}");
        let told = "error: cannot write the report to stdout: ";
        assert!(run.stderr.starts_with(told), "{format}: {}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{format}: {}", run.stderr);
    }
}

#[snowglobe::test(nested)]
fn a_failure_stays_a_failure_on_a_full_disk() {
    let run = written_to("/dev/full", &["--exact", "samples::panics", "--ignored"]);
    assert_eq!(run.code, Some(101), "{run:#?}");
    assert!(run.stderr.contains("to stdout: "), "{}", run.stderr);
}

#[snowglobe::test(nested)]
fn a_full_disk_below_the_list_and_the_help_is_an_error() {
    for args in [
        &["--list"][..],
        &["--list", "--format", "terse"],
        &["--help"],
    ] {
        let run = written_to("/dev/full", args);
        assert_eq!(run.code, Some(74), "{args:?}: {run:#?}");
    }
}

#[snowglobe::test(nested)]
fn a_full_disk_below_the_log_file_fails_the_run() {
    let args = [&PASSES[..], &["--logfile", "/dev/full"]].concat();
    let run = finished(this_program().args(args).output().unwrap());
    assert_eq!(run.code, Some(74), "{run:#?}");
    assert!(run.stdout.contains("1 passed"), "{}", run.stdout);
    let told = "error: cannot write the log file /dev/full: ";
    assert!(run.stderr.starts_with(told), "{}", run.stderr);
}

/// Runs two samples, one after the other, reads the first line of the report, and closes the pipe.
fn with_a_reader_who_leaves(format: &str) -> Option<i32> {
    let samples = [
        "--ignored",
        "samples::passes",
        "samples::waits_for_its_reader",
    ];
    let dir = snowglobe_tests::shared_dir();
    let mut run = this_program()
        .args(samples)
        .args(["--test-threads", "1", "--format", format])
        .env("SAMPLE_DIR", dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut stdout = BufReader::new(run.stdout.take().unwrap());
    stdout.read_line(&mut first).unwrap();
    drop(stdout);
    std::fs::write(dir.path().join("gone"), "").unwrap();
    run.wait().unwrap().code()
}

#[snowglobe::test(nested)]
fn a_json_report_that_breaks_off_is_no_pass() {
    assert_eq!(with_a_reader_who_leaves("json"), Some(74));
}

#[snowglobe::test(nested)]
fn a_person_may_stop_reading() {
    assert_eq!(with_a_reader_who_leaves("pretty"), Some(0));
}
