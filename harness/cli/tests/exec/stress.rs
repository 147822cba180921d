//! Copies of a program run side by side, until one fails.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::Output;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use crate::wrapper::{exec, says, shell, stderr, stdout};

/// Returns a directory that the copies share.
fn shared() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Runs a script with so many copies, to which the directory is given.
fn stress(length: &str, dir: &TempDir, script: &str) -> Output {
    let mut command = exec(&["--stress", length, "--timeout", "60s", "--", "sh", "-c"]);
    command.args([script, "sh"]).arg(dir.path());
    command.output().unwrap()
}

#[test]
fn a_program_that_never_fails_says_what_that_tells() {
    let dir = shared();
    let output = stress("20", &dir, "mktemp $1/XXXXXX");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    says(
        &stderr(&output),
        &["none of 20 runs failed: the rate is at most 16 % (95 % confidence)"],
    );
    assert_eq!(
        stdout(&output),
        "",
        "nobody wants the output of twenty programs"
    );
    let copies = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(copies, 20);
}

#[test]
fn the_first_failure_is_kept_with_its_code_and_the_rate() {
    let dir = shared();
    let script = "mktemp $1/XXXXXX; [ $(ls $1 | wc -l) -lt 15 ] || \
                  { echo this one; echo too late >&2; exit 7; }";
    let output = stress("10000", &dir, script);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    says(
        &stderr(&output),
        &["too late", " runs failed: ", "% (95 % confidence)"],
    );
    let copies = std::fs::read_dir(dir.path()).unwrap().count();
    assert!(copies < 1000, "it goes on after a failure: {copies}");
    let shown = stdout(&output);
    assert_eq!(shown.matches("this one").count(), 1, "{shown}");
}

#[test]
fn copies_end_with_the_command_that_runs_them() {
    let dir = shared();
    let pipe = dir.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let script = "exec 3>$1/pipe; echo up >&3; sleep 100; echo late >&3";
    let mut command = exec(&["--stress", "2", "--", "sh", "-c", script, "sh"]);
    let mut stress = command.arg(dir.path()).spawn().unwrap();
    let mut heard = BufReader::new(File::open(&pipe).unwrap());
    let mut line = String::new();
    heard.read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    stress.kill().unwrap();
    stress.wait().unwrap();
    // The read ends when no process has the other end of the pipe any more (pipe(7)).
    let mut rest = String::new();
    heard.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("late"), "{rest}");
}

#[test]
fn copies_run_side_by_side() {
    let dir = shared();
    let script = "mktemp $1/XXXXXX; while [ $(ls $1 | wc -l) -lt 4 ]; do sleep 0.01; done";
    let output = stress("4", &dir, script);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn the_time_of_a_stress_test_ends_it() {
    let dir = shared();
    let output = stress("300ms", &dir, "kill -KILL $$");
    assert_eq!(output.status.code(), Some(128 + 9), "{output:?}");
    let output = stress("300ms", &dir, "true");
    says(&stderr(&output), &["none of ", " runs failed"]);
}

#[test]
fn a_length_that_is_none_is_refused() {
    for (length, said) in [
        ("0", "nothing would run"),
        ("often", "give a number of runs"),
    ] {
        let output = exec(&["--stress", length, "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(125), "{output:?}");
        says(&stderr(&output), &["--stress is", said]);
    }
    let output = exec(&["--stress", "2", "--keep", "true"]).output().unwrap();
    says(
        &stderr(&output),
        &["--stress and --keep exclude each other"],
    );
    assert!(shell("true").status.success());
}
