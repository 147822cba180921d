//! A program that writes what no log may have fails its trial, although the test is content.

use snowglobe::lab::ALARMING;
use snowglobe::prelude::*;
use snowglobe_tests::sample;

/// Starts a program in a node that writes a line, and waits until the line was read.
fn says(lab: &Lab, node: &str, line: &str, to: &str) -> TestResult {
    let script = format!("echo '{line}' {to}");
    let node = lab.node(node).ok_or("node")?;
    let process = node.command("sh").args(["-c", &script]).spawn()?;
    process.wait_for_log(line)?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_is_content_with_a_data_race() -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(ALARMING);
    says(&lab, "bob", "all is well", "")?;
    says(&lab, "bob", "WARNING: DATA RACE in merge", ">&2")
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_forbids_what_was_written_before() -> TestResult {
    let lab = shape::pair().start()?;
    says(&lab, "alice", "page 7 is corrupt", "")?;
    lab.forbid_in_logs(["corrupt"]);
    Ok(())
}

/// The line has no end, and comes when the program ends with the lab.
#[snowglobe::test(ignore = "a sample")]
fn sample_whose_last_words_are_a_panic() -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(ALARMING);
    let script = "trap 'printf panicked; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let node = lab.node("alice").ok_or("alice")?;
    let process = node.command("sh").args(["-c", script]).spawn()?;
    process.wait_for_log("ready")?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_permits_one_line() -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(ALARMING);
    lab.permit_in_logs(["checking for corrupt pages"]);
    says(&lab, "alice", "Checking for corrupt pages", "")
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_forbids_nothing() -> TestResult {
    let lab = shape::pair().start()?;
    says(&lab, "alice", "panic: nobody minds", "")
}

#[snowglobe::test(nested)]
fn a_forbidden_text_fails_a_trial_that_passes_otherwise() {
    sample("logs::sample_that_is_content_with_a_data_race").failed_with(&[
        "`sh` (pid ",
        "on `bob` wrote \"data race\" to stderr",
        "WARNING: DATA RACE in merge",
        "Lab::permit_in_logs",
    ]);
    sample("logs::sample_that_forbids_nothing").passed_with(&[]);
}

#[snowglobe::test(nested)]
fn lines_from_before_and_last_words_count() {
    sample("logs::sample_that_forbids_what_was_written_before").failed_with(&[
        "on `alice` wrote \"corrupt\" to stdout",
        "page 7 is corrupt",
    ]);
    sample("logs::sample_whose_last_words_are_a_panic")
        .failed_with(&["on `alice` wrote \"panic\" to stdout", "panicked"]);
}

#[snowglobe::test(nested)]
fn a_permitted_line_is_no_failure() {
    sample("logs::sample_that_permits_one_line").passed_with(&[]);
}
