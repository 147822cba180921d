//! Faults that name nodes and links by their ids, and faults that a schedule leaves out: what
//! people read of both.

use snowglobe::events::EventKind;
use snowglobe::fault::{Fault, NodeRef, Schedule};
use snowglobe::lab::LabErrorKind;
use snowglobe::prelude::*;
use snowglobe_tests::sample;

use crate::{MS, nodes};

#[snowglobe::test]
fn ids_are_told_as_names() -> TestResult {
    let lab = nodes(2)?;
    let [first, second] = ["n1", "n2"].map(|name| lab.node(name).unwrap().id());
    let link = lab.links().next().ok_or("no link")?;
    let schedule = Schedule::new()
        .then(Duration::ZERO, MS, Fault::pause(first))
        .then(Duration::ZERO, MS, Fault::cut(link.id()));
    let run = lab.run_schedule(&schedule)?;
    let told = run.schedule().to_string();
    assert!(told.contains("pause of node `n1`"), "{told}");
    assert!(told.contains("cut of link `n1–lan`"), "{told}");
    assert!(run.schedule().to_toml()?.contains(r#"node = "n1""#));
    run.wait()?;
    // One node on both sides, by its id and by its name.
    let pairs = vec![[NodeRef::from(second), NodeRef::from("n2")]];
    let error = lab.inject(Fault::Sever { pairs }).unwrap_err().to_string();
    assert!(error.contains("no word between `n2` and `n2`"), "{error}");
    Ok(())
}

/// Nodes keep their ids when one before them is removed.
#[snowglobe::test]
fn an_id_means_the_same_node_after_another_was_removed() -> TestResult {
    let mut lab = nodes(3)?;
    let [first, second, third] = ["n1", "n2", "n3"].map(|name| lab.node(name).unwrap().id());
    let links: Vec<_> = lab.links().map(|link| link.id()).collect();
    lab.remove_node(first)?;
    let schedule = Schedule::new()
        .then(Duration::ZERO, MS, Fault::pause(third))
        .then(2 * MS, MS, Fault::cut(links[2]));
    lab.run_schedule(&schedule)?.wait()?;
    let told: Vec<String> = lab
        .events()
        .so_far()
        .iter()
        .filter(|event| matches!(event.kind, EventKind::FaultBegan { .. }))
        .map(|event| event.kind.to_string())
        .collect();
    assert_eq!(
        told,
        [
            "fault 1 began: pause of node `n3`",
            "fault 2 began: cut of link `n3–lan`",
        ]
    );
    let both = Fault::partition([NodeRef::from(second)], [NodeRef::from("n2")]);
    let both = Schedule::new().then(Duration::ZERO, MS, both);
    let error = lab.run_schedule(&both).unwrap_err().to_string();
    assert!(error.contains("`n2` is on both sides"), "{error}");
    // The node that is gone has a name still.
    let error = lab.inject(Fault::pause(first)).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::Removed);
    assert!(error.to_string().contains("`n1`"), "{error}");
    Ok(())
}

/// Fails after its schedule has left two faults out.
#[snowglobe::test(ignore = "a sample")]
fn leaves_faults_out() -> TestResult {
    let lab = nodes(2)?;
    let schedule = Schedule::new()
        .from_then_on(Duration::ZERO, Fault::crash("n1"))
        .then(MS, MS, Fault::pause("n1"))
        .then(2 * MS, MS, Fault::restart("n2"))
        .then(2 * MS, 3 * MS, Fault::kill_program("n2", "nobody"));
    let run = lab.run_schedule(&schedule)?;
    lab.wait_until(|| run.skipped() == 2)?;
    run.stop()?;
    panic!("for another reason");
}

#[snowglobe::test(nested)]
fn a_trial_that_fails_tells_which_faults_were_left_out() {
    let run = sample("names::leaves_faults_out");
    run.failed_with(&[
        "for another reason",
        "schedule: left out: at 1ms for 1ms: pause of node `n1` (failed to pause",
        "2 faults of the schedule were left out: at 1ms for 1ms: pause of node `n1`",
        "at 2ms for 3ms: kill of program `nobody` of node `n2`",
    ]);
}

/// A node is named by its name, its id, its handle and its role, whatever the fault and the method.
#[snowglobe::test]
fn a_target_is_named_in_each_way() -> TestResult {
    let lab = nodes(3)?;
    let first = lab.node("n1").ok_or("no n1")?;
    let link = lab.links().next().ok_or("no link")?;
    let id = first.id();
    lab.role("leader", move |_| [id]);
    let leader = || NodeRef::role("leader");
    for fault in [
        Fault::isolate("n1"),
        Fault::isolate(id),
        Fault::isolate(first),
        Fault::isolate(leader()),
    ] {
        let guard = lab.inject(fault)?;
        let told = guard.fault().to_string();
        assert_eq!(told, "partition of `n1` from `n2`, `n3`");
    }
    for fault in [
        Fault::pause("n1"),
        Fault::pause(first),
        Fault::pause(leader()),
    ] {
        let guard = lab.inject(fault)?;
        assert_eq!(guard.fault().to_string(), "pause of node `n1`");
    }
    for fault in [Fault::primaries_only("n1"), Fault::primaries_only(leader())] {
        let guard = lab.inject(fault)?;
        let told = guard.fault().to_string();
        assert_eq!(told, "no word between `n1` and `n2`, `n1` and `n3`");
    }
    for fault in [
        Fault::cut("n1-lan"),
        Fault::cut(link),
        Fault::cut(link.id()),
    ] {
        let guard = lab.inject(fault)?;
        assert_eq!(guard.fault().to_string(), "cut of link `n1–lan`");
    }
    let others = ["n2", "n3"];
    for guard in [
        lab.partition([leader()], others)?,
        lab.partition([first], lab.nodes().skip(1))?,
        lab.partition(&[id], others.iter())?,
    ] {
        let told = guard.fault().to_string();
        assert_eq!(told, "partition of `n1` from `n2`, `n3`");
    }
    // A role in the place of a name is the slip of a newcomer.
    let error = lab.inject(Fault::isolate("leader")).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotFound);
    let error = error.to_string();
    assert!(
        error.contains("write `NodeRef::role(\"leader\")`"),
        "{error}"
    );
    Ok(())
}

/// Fails after it has drawn three schedules.
#[snowglobe::test(ignore = "a sample")]
fn draws_three_schedules() -> TestResult {
    let lab = nodes(2)?;
    let pauses = Nemesis::new(20 * MS)
        .fault(1, Fault::pause(NodeRef::any()))
        .quiet(MS..=2 * MS)
        .lasts(MS..=2 * MS);
    for _ in 0..3 {
        lab.nemesis(&pauses)?.wait()?;
    }
    panic!("for another reason");
}

#[snowglobe::test(nested)]
fn a_trial_with_several_schedules_tells_once_which_one_to_run_again() {
    let run = sample("names::draws_three_schedules");
    run.failed_with(&["its other schedules are in files beside it"]);
    let notes = run
        .stdout
        .lines()
        .filter(|it| it.starts_with("note: schedule: "));
    assert_eq!(notes.count(), 1, "{run:#?}");
}
