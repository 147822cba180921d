//! The program has the caller's terminal, and is in the foreground of it if the caller is.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Child;

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wrapper::with_usual_signals;

/// Runs a script of bash with job control as the leader of a session on a new terminal. `$exec`
/// in the script is `snowglobe exec`.
fn on_a_terminal(script: &str) -> (File, Child) {
    let pty = openpty(None, None).unwrap();
    let copy = || -> OwnedFd { pty.slave.try_clone().unwrap() };
    let child = with_usual_signals()
        .args(["setsid", "--ctty", "--wait", "bash", "-m", "-c", script])
        .env(
            "exec",
            // A test that waits in vain fails then.
            format!(
                "env {} {} exec --timeout 60s --",
                crate::variables().join(" "),
                env!("CARGO_BIN_EXE_snowglobe")
            ),
        )
        .stdin(copy())
        .stdout(copy())
        .stderr(copy())
        .spawn()
        .unwrap();
    (File::from(pty.master), child)
}

/// Reads from the terminal until this text has come.
fn read_until(terminal: &mut File, text: &str) -> String {
    let mut heard = String::new();
    let mut byte = [0];
    while !heard.contains(text) {
        match terminal.read(&mut byte) {
            Ok(1) => heard.push(byte[0] as char),
            end => panic!("{end:?} instead of `{text}` after: {heard}"),
        }
    }
    heard
}

/// Returns the nearest descendant of a process that has this name.
fn child_named(ancestor: u32, name: &str) -> Pid {
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        for child in children.unwrap().split_whitespace() {
            let comm = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap();
            if comm.trim() == name {
                return Pid::from_raw(child.parse().unwrap());
            }
            parents.push(child.parse().unwrap());
        }
    }
    panic!("nothing below {ancestor} is called {name}");
}

#[test]
fn the_program_is_in_the_foreground_of_a_terminal() {
    let script = "$exec bash -c 'test -t 0 && test -t 1 && test -t 2 && read x && stty size >/dev/null && echo \"heard $x\"'";
    let (mut terminal, mut child) = on_a_terminal(script);
    // A program in the background that reads from its terminal is stopped.
    terminal.write_all(b"hello\n").unwrap();
    read_until(&mut terminal, "heard hello");
    assert!(child.wait().unwrap().success());
}

#[test]
fn control_c_kills_the_program_and_the_wrapper() {
    let (mut terminal, mut child) = on_a_terminal("$exec sh -c 'echo ready; read x'; echo code $?");
    read_until(&mut terminal, "ready");
    terminal.write_all(b"\x03").unwrap();
    // bash ends too if the program it waits for died of SIGINT: so it is with the wrapper.
    let code = child.wait().unwrap();
    assert!(!code.success(), "{code:?}");
}

#[test]
fn control_c_is_the_programs_to_handle_once() {
    let script = "$exec bash -c 'trap \"echo trapped\" INT; echo ready; until read -t 1 x; do :; done; exit 6'; echo code $?";
    let (mut terminal, mut child) = on_a_terminal(script);
    read_until(&mut terminal, "ready");
    terminal.write_all(b"\x03").unwrap();
    read_until(&mut terminal, "trapped");
    terminal.write_all(b"on\n").unwrap();
    let rest = read_until(&mut terminal, "code 6");
    assert!(!rest.contains("trapped"), "{rest}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn control_z_stops_the_job_and_fg_continues_it() {
    let script =
        "$exec sh -c 'echo ready; read x; echo heard $x'; echo stopped $?; fg; echo end $?";
    let (mut terminal, mut child) = on_a_terminal(script);
    read_until(&mut terminal, "ready");
    terminal.write_all(b"\x1a").unwrap();
    // 128 and the number of SIGTSTP.
    read_until(&mut terminal, "stopped 148");
    terminal.write_all(b"more\n").unwrap();
    read_until(&mut terminal, "heard more");
    read_until(&mut terminal, "end 0");
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_job_can_be_stopped_again_and_again() {
    let script = "$exec sh -c 'echo ready; while read x; do echo heard $x; done'; fg; fg; fg; fg; fg; echo end $?";
    let (mut terminal, mut child) = on_a_terminal(script);
    read_until(&mut terminal, "ready");
    for line in ["a", "b", "c", "d", "e"] {
        terminal.write_all(b"\x1a").unwrap();
        // bash has continued it when the program answers.
        terminal.write_all(format!("{line}\n").as_bytes()).unwrap();
        read_until(&mut terminal, &format!("heard {line}"));
    }
    terminal.write_all(b"\x04").unwrap();
    read_until(&mut terminal, "end 0");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_program_in_the_background_that_reads_is_stopped_until_it_is_in_the_foreground() {
    // `wait` returns for a job that has stopped where there is job control: 128 and SIGTTIN.
    let script = "$exec sh -c 'read x; echo heard $x' & wait $!; echo stopped $?; fg; echo end $?";
    let (mut terminal, mut child) = on_a_terminal(script);
    read_until(&mut terminal, "stopped 149");
    terminal.write_all(b"more\n").unwrap();
    read_until(&mut terminal, "heard more");
    read_until(&mut terminal, "end 0");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_program_that_stops_its_own_group_is_continued_with_it() {
    // Editors do the same for Ctrl-Z.
    let script = "$exec sh -c 'echo ready; kill -TSTP 0; echo continued; exit 7'; echo stopped $?; fg; echo end $?";
    let (mut terminal, mut child) = on_a_terminal(script);
    read_until(&mut terminal, "stopped 148");
    read_until(&mut terminal, "continued");
    read_until(&mut terminal, "end 7");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_signal_reaches_the_program_after_one_of_the_terminal() {
    let script = "$exec bash -c 'trap \"echo trapped\" INT; echo ready; until read -t 1 x; do :; done; exit 6'; echo code $?";
    let (mut terminal, mut child) = on_a_terminal(script);
    read_until(&mut terminal, "ready");
    terminal.write_all(b"\x03").unwrap();
    read_until(&mut terminal, "trapped");
    // This signal goes to the wrapper alone, and would merge with one that still waits there
    // (signal(7)).
    let wrapper = child_named(child.id(), "snowglobe");
    let status = || std::fs::read_to_string(format!("/proc/{wrapper}/status")).unwrap();
    while !status().contains("ShdPnd:\t0000000000000000") {
        std::thread::yield_now();
    }
    kill(wrapper, Signal::SIGINT).unwrap();
    read_until(&mut terminal, "trapped");
    terminal.write_all(b"on\n").unwrap();
    read_until(&mut terminal, "code 6");
    assert!(child.wait().unwrap().success());
}
