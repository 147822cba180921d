//! Copies of a program run side by side, until one fails.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Output, Stdio};
use std::thread;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use crate::wrapper::{exec, pid, says, shell, stderr, stdout};

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
    // An open of a pipe that nobody writes to would wait for a copy, and a copy may never come.
    let no_wait = OFlag::O_NONBLOCK;
    let mut options = OpenOptions::new();
    let heard = options.read(true).custom_flags(no_wait.bits()).open(&pipe);
    let heard = heard.unwrap();
    fcntl(&heard, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    let mut end = File::options().write(true).open(&pipe).unwrap();
    let script = "exec 3>$1/pipe; echo up >&3; sleep 100; echo late >&3";
    let words = ["--stress", "2", "--timeout", "60s", "--", "sh", "-c"];
    let mut command = exec(&words);
    let command = command.args([script, "sh"]).arg(dir.path());
    let mut stress = command.spawn().unwrap();
    let stress_pid = pid(&stress);
    let watcher = thread::spawn(move || {
        let status = stress.wait().unwrap();
        writeln!(end, "ended: {status}").unwrap();
    });
    let mut heard = BufReader::new(heard);
    let mut line = String::new();
    heard.read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    kill(stress_pid, Signal::SIGKILL).unwrap();
    watcher.join().unwrap();
    // The read ends when no process has the other end of the pipe any more (pipe(7)).
    let mut rest = String::new();
    heard.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("ended: signal: 9"), "{rest}");
    assert!(!rest.contains("late"), "{rest}");
}

#[test]
fn the_first_failure_is_shown_while_other_copies_run() {
    let dir = shared();
    let script = "if mkdir $1/first; then echo this one; exit 7; fi 2>/dev/null
                  while ! [ -e $1/shown ]; do sleep 0.01; done";
    let words = ["--stress", "2", "--timeout", "100s", "--", "sh", "-c"];
    let mut command = exec(&words);
    let command = command.args([script, "sh"]).arg(dir.path());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut stress = command.spawn().unwrap();
    let mut shown = BufReader::new(stress.stdout.take().unwrap());
    let mut line = String::new();
    shown.read_line(&mut line).unwrap();
    assert_eq!(line, "this one\n");
    // Only now does the other copy end. A copy that the time limit ends fails as well.
    File::create(dir.path().join("shown")).unwrap();
    let output = stress.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    says(
        &stderr(&output),
        &["a copy has failed; the rate", "1 of 2 runs failed"],
    );
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
    let words = ["--stress", "2", "--capture", "no-such", "true"];
    let output = exec(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    says(
        &stderr(&output),
        &["--stress and --capture exclude each other"],
    );
}
