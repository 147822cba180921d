//! The two bugs, found over the command line, as a user does it.

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

/// Runs a trial with up to fifty seeds, until one fails.
fn search(name: &str) -> String {
    let mut command = this_program();
    command.args(["--exact", name, "--ignored", "--runs", "50", "--seed", "1"]);
    found(command.output().unwrap())
}

#[snowglobe::test(nested, timeout = "400s")]
fn a_read_without_a_quorum_is_found_within_fifty_seeds() {
    let report = search("register::stale_read");
    assert!(report.contains("run it again: SNOWGLOBE_SEED="), "{report}");
}

#[snowglobe::test(nested, timeout = "400s")]
fn a_vote_that_is_not_written_is_found_within_fifty_seeds() {
    let report = search("register::forgotten_vote");
    assert!(report.contains("run it again: SNOWGLOBE_SEED="), "{report}");
}
