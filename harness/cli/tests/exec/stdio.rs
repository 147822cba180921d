//! The program has the caller's stdin, stdout and stderr, and nobody else keeps them open.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::wrapper::{exec, stderr, stdout, with_usual_signals};

#[test]
fn what_goes_in_comes_out() {
    let bytes: Vec<u8> = (0..200_000u32).map(|n| ((n * 7919) >> 3) as u8).collect();
    let mut child = exec(&["--", "cat"]);
    let mut child = child
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent));
    let mut heard = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut heard)
        .unwrap();
    writer.join().unwrap().unwrap();
    assert!(heard == bytes);
    assert!(child.wait().unwrap().success());
}

#[test]
fn stdout_ends_when_the_program_closes_it() {
    let mut child = exec(&["--", "sh", "-c", "echo a; exec >&-; read line; exit 5"]);
    let mut child = child
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heard = String::new();
    // The program lives on until its stdin ends.
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut heard)
        .unwrap();
    assert_eq!(heard, "a\n");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn stderr_is_the_programs_alone() {
    let output = exec(&["--", "sh", "-c", "echo out; echo err >&2"])
        .output()
        .unwrap();
    assert_eq!((&*stdout(&output), &*stderr(&output)), ("out\n", "err\n"));
}

#[test]
fn what_the_caller_has_closed_is_closed() {
    /// Ends with a bit for each of stdin, stdout and stderr that is open.
    const OPEN: &str = "n=0; for i in 0 1 2; do n=$((n * 2)); \
                        [ -e /proc/$$/fd/$i ] && n=$((n + 1)); done; exit $n";
    for (closed, left) in [("<&-", 3), (">&-", 5), ("2>&-", 6), ("<&- >&- 2>&-", 0)] {
        for options in [&["--"][..], &["--volume", "/tmp/v", "--"]] {
            let code = |wrapper: &[&str]| {
                let script = format!("\"$@\" {closed}");
                let mut command = Command::new("sh");
                command.args(["-c", &script, "sh"]).args(wrapper);
                command.args(["sh", "-c", OPEN]).stdin(Stdio::null());

                command.output().unwrap().status.code()
            };
            let exec = [env!("CARGO_BIN_EXE_snowglobe"), "exec"];
            assert_eq!(code(&[]), Some(left), "{closed}");
            assert_eq!(
                code(&[&exec, options].concat()),
                Some(left),
                "{closed} {options:?}"
            );
        }
    }
}

/// Returns the text with the signals from 33 on left out of sets: glibc uses 33 for itself, and may
/// have been in the midst of that (`nptl(7)`).
fn without_real_time(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once('\t') {
        Some((name, set)) if name.starts_with("Sig") => format!("{name} {}\n", &set[8..]),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// Runs a program with the wrapper and without, and returns what it prints.
fn both(program: &[&str]) -> (String, String) {
    let without = with_usual_signals()
        .args(program)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let with = exec(&[&["--"], program].concat()).output().unwrap();
    (
        without_real_time(&stdout(&with)),
        without_real_time(&stdout(&without)),
    )
}

#[test]
fn signal_masks_dispositions_and_limits_are_the_callers() {
    let (with, without) = both(&["grep", "-E", "^(SigBlk|SigIgn|SigCgt)", "/proc/self/status"]);
    assert_eq!(with, without);
    let (with, without) = both(&["grep", "-v", "core file", "/proc/self/limits"]);
    assert_eq!(with, without);
}

#[test]
fn sigpipe_is_as_the_caller_has_left_it() {
    // `env` of coreutils sets dispositions (coreutils 8.31).
    for signals in ["--ignore-signal=PIPE", "--default-signal=PIPE"] {
        let exec = env!("CARGO_BIN_EXE_snowglobe");
        let show = ["grep", "SigIgn", "/proc/self/status"];
        let run = |words: &[&str]| {
            let output = Command::new("env")
                .arg(signals)
                .args(crate::variables())
                .args(words)
                .output()
                .unwrap();
            without_real_time(&stdout(&output))
        };
        let without = run(&show);
        let with = run(&[&[exec, "exec", "--"], &show[..]].concat());
        assert_eq!(with, without, "{signals}");
    }
}

#[test]
fn the_environment_and_the_working_directory_are_the_callers() {
    let mut command = exec(&["--", "sh", "-c", "pwd; echo $MINE"]);
    let output = command.env("MINE", "a b").output().unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!(stdout(&output), format!("{}\na b\n", here.display()));
}
