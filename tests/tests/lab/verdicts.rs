//! A lab changes the verdict of its trial.

use snowglobe::prelude::*;
use snowglobe_tests::sample;

#[snowglobe::test(ignore = "a sample")]
fn sample_whose_daemon_dies() -> TestResult {
    let lab = shape::pair().start()?;
    a_daemon_dies_in(&lab)
}

#[snowglobe::test(ignore = "a sample")]
fn sample_whose_daemon_may_die() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let process = alice
        .command("sh")
        .args(["-c", "echo out of ink >&2; exit 7"])
        .may_die()
        .spawn()?;
    process.wait_for_log("ink")?;
    lab.wait_until(|| {
        lab.inspect(alice.id())
            .is_ok_and(|seen| seen.processes.len() == 1)
    })?;
    Ok(())
}

/// The client is the first to notice that something is wrong.
#[snowglobe::test(ignore = "a sample")]
fn sample_that_fails_since_its_daemon_has_died() -> TestResult {
    let lab = shape::pair().start()?;
    a_daemon_dies_in(&lab)?;
    panic!("the client was refused");
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_returns_an_error_since_its_daemon_has_died() -> TestResult {
    let lab = shape::pair().start()?;
    a_daemon_dies_in(&lab)?;
    Err("the client was refused")?
}

/// Starts a daemon that dies, and waits until that has happened.
fn a_daemon_dies_in(lab: &Lab) -> TestResult {
    let alice = lab.node("alice").ok_or("alice")?;
    let ends = ["-c", "echo out of ink >&2; exit 7"];
    let process = alice.command("sh").args(ends).spawn()?;
    process.wait_for_log("ink")?;
    lab.wait_until(|| {
        lab.inspect(alice.id())
            .is_ok_and(|seen| seen.processes.len() == 1)
    })?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_panics_in_a_node() {
    let lab = shape::pair().start().expect("a lab");
    let alice = lab.node("alice").expect("alice");
    alice
        .command("sh")
        .args(["-c", "echo to stdout; echo to stderr >&2"])
        .status()
        .expect("a shell");
    alice.run(|| panic!("lost in alice"));
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_leaves_its_lab_behind() -> TestResult {
    let lab = shape::pair().start()?;
    lab.node("alice")
        .ok_or("alice")?
        .command("sleep")
        .arg("1000")
        .spawn()?;
    std::mem::forget(lab);
    Ok(())
}

#[snowglobe::test(nested)]
fn a_process_that_dies_unexpectedly_fails_the_trial() {
    sample("verdicts::sample_whose_daemon_dies").failed_with(&[
        "`alice/sh` exited with code 7 and nobody waited for it",
        "out of ink",
    ]);
    sample("verdicts::sample_whose_daemon_may_die").passed_with(&[]);
}

#[snowglobe::test(nested)]
fn the_death_of_a_daemon_is_told_ahead_of_the_tests_own_failure() {
    for name in [
        "verdicts::sample_that_fails_since_its_daemon_has_died",
        "verdicts::sample_that_returns_an_error_since_its_daemon_has_died",
    ] {
        let run = sample(name);
        let (death, own) = ("`alice/sh` exited with code 7", "the client was refused");
        run.failed_with(&[death, own, "out of ink"]);
        let (death, own) = (run.stdout.find(death), run.stdout.find(own));
        assert!(death < own, "{}", run.stdout);
    }
}

#[snowglobe::test(nested)]
fn a_panic_in_a_node_is_the_tests_and_output_is_labelled() {
    let run = sample("verdicts::sample_that_panics_in_a_node");
    run.failed_with(&[
        "lost in alice",
        "tests/tests/lab/verdicts.rs:",
        "[alice/sh stdout] to stdout",
        "[alice/sh stderr] to stderr",
    ]);
}

#[snowglobe::test(nested)]
fn a_lab_that_is_forgotten_does_not_outlive_its_trial() {
    let run = sample("verdicts::sample_that_leaves_its_lab_behind");
    assert!(run.code.is_some(), "{run:#?}");
}
