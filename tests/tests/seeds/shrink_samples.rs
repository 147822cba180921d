//! Trials that fail under some faults, and not under others.

use nix::unistd::getuid;
use snowglobe::events::EventKind;
use snowglobe::fault::{Fault, Nemesis, NodeRef, Schedule};
use snowglobe::prelude::*;
use snowglobe::topology::shape;

use crate::twice_samples::{is_first_run, number_of_run};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Returns the faults that a lab has seen.
fn seen(lab: &Lab) -> Vec<Fault> {
    let events = lab.events().so_far();
    let began = events.iter().filter_map(|event| match &event.kind {
        EventKind::FaultBegan { fault, .. } => Some(fault.clone()),
        _ => None,
    });
    began.collect()
}

/// Fails where `bob` was paused and, at another time or at the same, `alice` did not hear `bob`.
#[snowglobe::test(ignore = "a sample")]
fn fails_under_two_of_many_faults() -> TestResult {
    let lab = shape::pair().start()?;
    let mut schedule = Schedule::new();
    for place in 0..4 {
        let at = MS(10 * place);
        schedule = schedule.then(at, MS(5), Fault::pause("alice"));
    }
    schedule = schedule
        .then(MS(15), MS(40), Fault::pause("bob"))
        .then(MS(60), MS(5), Fault::kill_processes("alice"))
        .then(MS(70), MS(40), Fault::partition(["bob"], ["alice"]));
    lab.run_schedule(&schedule)?.wait()?;
    let seen = seen(&lab);
    let is_paused = seen.contains(&Fault::pause("bob"));
    let is_deaf = seen.iter().any(|it| matches!(it, Fault::Partition { .. }));
    assert!(!(is_paused && is_deaf), "bob was paused and deaf");
    Ok(())
}

/// Fails under every fault of `bob`; which faults there are comes from the seed.
#[snowglobe::test(ignore = "a sample")]
fn fails_where_bob_is_paused() -> TestResult {
    let lab = shape::pair().start()?;
    let nemesis = Nemesis::new(MS(200)).fault(1, Fault::pause(NodeRef::any()));
    let nemesis = nemesis
        .first_after(MS(0))
        .quiet(MS(5)..=MS(10))
        .lasts(MS(10)..=MS(20));
    lab.nemesis(&nemesis)?.wait()?;
    assert!(!seen(&lab).contains(&Fault::pause("bob")), "bob was paused");
    Ok(())
}

/// Fails whatever faults there are.
#[snowglobe::test(ignore = "a sample")]
fn fails_without_faults() -> TestResult {
    let lab = shape::pair().start()?;
    let schedule = Schedule::new().then(MS(0), MS(5), Fault::pause("alice"));
    lab.run_schedule(&schedule)?.wait()?;
    panic!("in any case");
}

/// Fails under a fault, but as root never.
#[snowglobe::test(ignore = "a sample")]
fn fails_as_an_ordinary_user() -> TestResult {
    let lab = shape::pair().start()?;
    let schedule = Schedule::new()
        .then(MS(0), MS(5), Fault::pause("alice"))
        .then(MS(10), MS(5), Fault::pause("bob"));
    lab.run_schedule(&schedule)?.wait()?;
    let is_paused = seen(&lab).contains(&Fault::pause("bob"));
    assert!(!is_paused || getuid().is_root(), "an ordinary user");
    Ok(())
}

/// Fails once.
#[snowglobe::test(ignore = "a sample")]
fn fails_the_first_time() -> TestResult {
    let lab = shape::pair().start()?;
    let schedule = Schedule::new().then(MS(0), MS(5), Fault::pause("alice"));
    lab.run_schedule(&schedule)?.wait()?;
    assert!(!is_first_run(), "the first run");
    Ok(())
}

/// Fails in every other run with a fault, and in the twentieth run without any.
#[snowglobe::test(ignore = "a sample")]
fn fails_seldom_without_faults() -> TestResult {
    let lab = shape::pair().start()?;
    let schedule = Schedule::new().then(MS(0), MS(5), Fault::pause("alice"));
    lab.run_schedule(&schedule)?.wait()?;
    let fails = match seen(&lab).is_empty() {
        true => number_of_run("without") == 20,
        false => number_of_run("with").is_multiple_of(2),
    };
    assert!(!fails, "it fails seldom");
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn waits_long() {
    std::thread::sleep(Duration::from_secs(100));
}

/// Has no lab, and no schedule.
#[snowglobe::test(ignore = "a sample")]
fn fails_by_itself() {
    panic!("as it should");
}
