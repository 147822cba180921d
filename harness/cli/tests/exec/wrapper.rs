//! What the tests have in common: the command, and what it has said.

use std::process::{Child, Command, Output, Stdio};

/// Returns a command to which the program and its arguments are to be added, and which has the
/// signals of an interactive start.
///
/// Whoever runs the tests with nohup(1), or in the background of a script, ignores some of them,
/// and a shell cannot trap a signal that it was started without (POSIX, `trap`).
pub(crate) fn with_usual_signals() -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,INT,QUIT,TERM");
    command
}

/// Returns `snowglobe exec` with these words, which a shell would have split.
pub(crate) fn exec(words: &[&str]) -> Command {
    let mut command = with_usual_signals();
    command.args(crate::variables());
    command.arg(env!("CARGO_BIN_EXE_snowglobe"));
    command.arg("exec").args(words).stdin(Stdio::null());
    command
}

/// Runs a script of `sh` in a world of its own.
pub(crate) fn shell(script: &str) -> Output {
    exec(&["--", "sh", "-c", script])
        .output()
        .expect("the command starts")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts that a text has all of these parts.
#[track_caller]
pub(crate) fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

/// Returns the id of a child as system calls take it.
pub(crate) fn pid(child: &Child) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(child.id().cast_signed())
}
