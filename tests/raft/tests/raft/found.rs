//! The two bugs, found and replayed over the command line, as a user does it.

use std::process::{Command, Output, Stdio};

/// Returns this program, to be run once more without the settings of its own start.
fn this_program() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars() {
        let is_ours = ["SNOWGLOBE_", "NEXTEST"]
            .iter()
            .any(|it| name.starts_with(it));
        if is_ours {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Fails the test unless the run found that the register is not linearizable. Returns its report.
#[track_caller]
fn found(run: Output) -> String {
    let report = String::from_utf8_lossy(&run.stdout).into_owned();
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(101), "{report}\n{said}");
    assert!(report.contains("not linearizable: "), "{report}\n{said}");
    report
}

/// Runs a trial with up to fifty seeds from this one on, until one fails.
fn search(name: &str, seed: u64) -> String {
    let mut command = this_program();
    command
        .args(["--exact", name, "--ignored", "--runs", "50"])
        // One at a time, so that the first seed that fails is that of the report.
        .args(["--test-threads", "1", "--seed", &seed.to_string()]);
    found(command.output().unwrap())
}

/// Runs the line of a report that runs the trial again, without cargo.
fn replay(report: &str) -> Output {
    let mut lines = report.lines();
    let line = lines.find_map(|line| line.trim().strip_prefix("run it again: "));
    let (seed, rest) = line.unwrap().split_once(' ').unwrap();
    let (_, arguments) = rest.split_once("--exact").unwrap();
    let mut command = this_program();
    command.env(
        "SNOWGLOBE_SEED",
        seed.strip_prefix("SNOWGLOBE_SEED=").unwrap(),
    );
    command.arg("--exact");
    command.args(
        arguments
            .split_whitespace()
            .map(|word| word.trim_matches('\'')),
    );
    command.output().unwrap()
}

#[snowglobe::test(nested, timeout = "400s")]
fn a_read_without_a_quorum_is_found_and_its_line_finds_it_again() {
    let report = search("register::stale_read", 1);
    found(replay(&report));
}

#[snowglobe::test(nested, timeout = "400s")]
fn a_vote_that_is_not_written_is_found_and_its_line_finds_it_again() {
    let report = search("register::forgotten_vote", 16);
    found(replay(&report));
}
