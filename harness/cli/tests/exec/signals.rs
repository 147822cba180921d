//! The caller sees how the program has ended, and the program gets the wrapper's signals, once.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::wrapper::{exec, pid, shell, stderr};

#[test]
fn exit_codes_are_the_programs() {
    for code in [0, 1, 7, 101, 126, 127, 255] {
        let output = shell(&format!("exit {code}"));
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn the_wrapper_dies_of_the_programs_signal() {
    for signal in [
        "HUP", "INT", "QUIT", "ABRT", "KILL", "SEGV", "PIPE", "TERM", "USR1", "XCPU",
    ] {
        let output = shell(&format!("kill -{signal} $$"));
        let expected = format!("SIG{signal}").parse::<Signal>().unwrap();
        assert_eq!(output.status.signal(), Some(expected as i32), "{signal}");
    }
}

/// Starts a script that counts the signals that it gets, and says so, until it reads a line.
fn counter(signals: &str, group: bool) -> (Child, BufReader<std::process::ChildStdout>) {
    let traps: String = signals
        .split(' ')
        .map(|name| format!("trap 'echo {name}' {name}; "))
        .collect();
    // A signal that comes just before bash blocks in `read` is heard when that `read` ends.
    let script = format!("{traps} echo ready; until read -t 1 line; do :; done; echo end");
    // A test that waits in vain fails then.
    let mut command = exec(&["--timeout", "60s", "--", "bash", "-c", &script]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    if group {
        command.process_group(0);
    }
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(line(&mut stdout), "ready");
    (child, stdout)
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn lines_until_the_end(mut child: Child, stdout: &mut impl BufRead) -> Vec<String> {
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let lines: Vec<String> = stdout.lines().map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success());
    lines
}

#[test]
fn a_signal_to_the_wrapper_reaches_the_program() {
    for name in ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM"] {
        let (child, mut stdout) = counter(name, false);
        let signal = format!("SIG{name}").parse::<Signal>().unwrap();
        kill(pid(&child), signal).unwrap();
        assert_eq!(line(&mut stdout), name);
        assert_eq!(lines_until_the_end(child, &mut stdout), ["end"], "{name}");
    }
}

#[test]
fn a_signal_to_the_group_reaches_the_program_once() {
    let (child, mut stdout) = counter("TERM USR2", true);
    let group = Pid::from_raw(-pid(&child).as_raw());
    kill(group, Signal::SIGTERM).unwrap();
    assert_eq!(line(&mut stdout), "TERM");
    // The wrapper hands signals on in their order: a second TERM would come before this one.
    kill(pid(&child), Signal::SIGUSR2).unwrap();
    assert_eq!(line(&mut stdout), "USR2");
    assert_eq!(lines_until_the_end(child, &mut stdout), ["end"]);
}

#[test]
fn the_wrapper_stops_and_goes_on_with_the_program() {
    for name in ["STOP", "TSTP", "TTIN", "TTOU"] {
        let signal = format!("SIG{name}").parse::<Signal>().unwrap();
        let mut command = exec(&["--", "sh", "-c", &format!("kill -{name} $$; exit 4")]);
        // The parent of the group is this test, which is in another group of the same session, so
        // the group is not orphaned (setpgid(2)).
        let mut child = command.process_group(0).spawn().unwrap();
        let stopped = waitpid(pid(&child), Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert_eq!(stopped, WaitStatus::Stopped(pid(&child), signal));
        kill(pid(&child), Signal::SIGCONT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(4), "{name}");
    }
}

#[test]
fn a_program_in_a_group_of_its_own_goes_on_with_the_wrapper() {
    let script = "setpgrp(0, 0); kill STOP => $$; exit 4";
    let mut command = exec(&["--timeout", "60s", "--", "perl", "-e", script]);
    let mut child = command.process_group(0).spawn().unwrap();
    let stopped = waitpid(pid(&child), Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(pid(&child), Signal::SIGSTOP));
    // As a shell does it: the group of the wrapper, which is not the program's.
    kill(Pid::from_raw(-pid(&child).as_raw()), Signal::SIGCONT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
}
