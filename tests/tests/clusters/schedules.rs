//! Schedules and nemeses, carried out on a lab.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use snowglobe::events::EventKind;
use snowglobe::fault::{Fault, Nemesis, NodeRef, Schedule, ScheduledFault};
use snowglobe::lab::LabErrorKind;
use snowglobe::prelude::*;
use snowglobe_tests::{finished, sample, this_program};

use crate::hearing::{Ears, all};
use crate::{MS, nodes};

/// Returns the sentences of all faults so far.
fn faults(lab: &Lab) -> Vec<String> {
    let events = lab.events().so_far();
    let is_fault = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::FaultBegan { .. }
                | EventKind::FaultEnded { .. }
                | EventKind::FaultSkipped { .. }
        )
    };
    let kinds = events.iter().map(|event| &event.kind);
    kinds
        .filter(|kind| is_fault(kind))
        .map(EventKind::to_string)
        .collect()
}

#[snowglobe::test]
fn a_schedule_from_toml_begins_and_heals_in_its_order() -> TestResult {
    let lab = nodes(3)?;
    let schedule = Schedule::from_toml(
        r#"
        [[fault]]
        at = "20ms"
        lasts = "100ms"
        fault = "pause"
        node = "n1"

        [[fault]]
        at = "40ms"
        lasts = "20ms"
        fault = "partition"
        left = ["n2"]
        right = [{ role = "rest" }]
        "#,
    )?;
    let start = Instant::now();
    lab.run_schedule(&schedule)?.wait()?;
    assert!(start.elapsed() >= 120 * MS);
    assert_eq!(
        faults(&lab),
        [
            "fault 1 began: pause of node `n1`",
            "fault 2 began: partition of `n2` from `n1`, `n3`",
            "fault 2 ended: partition of `n2` from `n1`, `n3`",
            "fault 1 ended: pause of node `n1`",
        ]
    );
    Ok(())
}

#[snowglobe::test]
fn a_schedule_that_is_stopped_or_dropped_heals_at_once() -> TestResult {
    let lab = nodes(2)?;
    let ears = Ears::new(&lab)?;
    let schedule = Schedule::new().from_then_on(Duration::ZERO, Fault::partition(["n1"], ["n2"]));
    for drops in [false, true] {
        let mut events = lab.events();
        events.so_far();
        let run = lab.run_schedule(&schedule)?;
        events.wait_for("the partition", |it| {
            matches!(it.kind, EventKind::FaultBegan { .. })
        })?;
        assert!(!run.has_ended());
        assert_eq!(ears.pairs(&lab, 0)?.len(), 0);
        match drops {
            true => drop(run),
            false => run.stop()?,
        }
        assert_eq!(ears.pairs(&lab, 2)?, all(2));
    }
    Ok(())
}

/// Clients may be futures of the thread that waits for the end.
#[snowglobe::test]
async fn a_schedule_is_awaited_beside_other_futures() -> TestResult {
    let lab = nodes(2)?;
    let fault = Fault::partition(["n1"], ["n2"]);
    let short = Schedule::new().then(Duration::ZERO, 100 * MS, fault.clone());
    let run = lab.run_schedule(&short)?;
    let is_over = AtomicBool::new(false);
    let client = async {
        let mut calls = 0;
        while !is_over.load(Ordering::Relaxed) {
            tokio::time::sleep(MS).await;
            calls += 1;
        }
        calls
    };
    let end = async {
        let ended = run.wait_async().await;
        is_over.store(true, Ordering::Relaxed);
        ended
    };
    let (calls, ended) = tokio::join!(client, end);
    ended?;
    assert!(calls > 10, "{calls}");
    assert_eq!(faults(&lab).len(), 2);
    // Who gives the wait up stops the schedule.
    let long = Schedule::new().then(Duration::ZERO, 1_000_000 * MS, fault);
    let run = lab.run_schedule(&long)?;
    let given_up = tokio::time::timeout(100 * MS, run.wait_async()).await;
    assert!(given_up.is_err());
    assert_eq!(faults(&lab).len(), 4);
    Ok(())
}

#[snowglobe::test]
fn a_fault_without_a_subject_is_left_out_and_told() -> TestResult {
    let lab = nodes(2)?;
    let schedule = Schedule::new()
        .then(Duration::ZERO, 100 * MS, Fault::crash("n1"))
        .then(50 * MS, 100 * MS, Fault::pause("n1"));
    let run = lab.run_schedule(&schedule)?;
    lab.wait_until(|| run.has_ended())?;
    assert_eq!(run.skipped(), 1);
    run.wait()?;
    let told = faults(&lab);
    assert!(
        told[1].starts_with("left out: pause of node `n1`: failed to pause"),
        "{told:?}"
    );
    assert!(lab.node("n1").ok_or("no n1")?.is_running());
    Ok(())
}

/// The member that has a role is known after a while, as that of an election is.
#[snowglobe::test]
fn a_role_that_waits_takes_no_time_from_its_fault() -> TestResult {
    let lab = nodes(2)?;
    lab.role("late", |view| {
        std::thread::sleep(500 * MS);
        view.node("n1").map(|node| node.id())
    });
    let late = Fault::pause(NodeRef::role("late"));
    let schedule = Schedule::new().then(Duration::ZERO, 400 * MS, late);
    lab.run_schedule(&schedule)?.wait()?;
    let events = lab.events().so_far();
    let time = |wanted: fn(&EventKind) -> bool| {
        let mut found = events.iter().filter(|event| wanted(&event.kind));
        found.next().map(|event| event.time).ok_or("no such event")
    };
    let begun = time(|kind| matches!(kind, EventKind::FaultBegan { .. }))?;
    let ended = time(|kind| matches!(kind, EventKind::FaultEnded { .. }))?;
    // A busy machine may take a while for the fault itself, which counts from its lookup on.
    assert!(ended - begun >= 200 * MS, "{begun:?} to {ended:?}");
    Ok(())
}

/// Gives a lab the role `chosen`, which `n2` has as soon as the flag is set.
fn choose_later(lab: &Lab) -> Arc<AtomicBool> {
    let is_chosen = Arc::new(AtomicBool::new(false));
    let chosen = Arc::clone(&is_chosen);
    lab.role("chosen", move |view| {
        let node = view.node("n2").map(|node| node.id());
        node.filter(|_| chosen.load(Ordering::Relaxed))
    });
    is_chosen
}

#[snowglobe::test]
fn a_fault_waits_for_somebody_to_play_its_role() -> TestResult {
    let lab = nodes(2)?;
    let is_chosen = choose_later(&lab);
    let schedule = Schedule::from_toml(
        r#"
        [[fault]]
        at = "10ms"
        waits = "60s"
        lasts = "200ms"
        fault = "pause"
        node = { role = "chosen" }

        [[fault]]
        at = "50ms"
        lasts = "10ms"
        fault = "pause"
        node = "n1"
        "#,
    )?;
    let mut events = lab.events();
    let run = lab.run_schedule(&schedule)?;
    events.wait_for("the end of the other fault", |it| {
        matches!(it.kind, EventKind::FaultEnded { .. })
    })?;
    is_chosen.store(true, Ordering::Relaxed);
    run.wait()?;
    assert_eq!(
        faults(&lab),
        [
            "fault 1 began: pause of node `n1`",
            "fault 1 ended: pause of node `n1`",
            "fault 2 began: pause of node `n2`",
            "fault 2 ended: pause of node `n2`",
        ]
    );
    let all = lab.events().so_far();
    let mut ends = all.iter().rev().filter(|it| {
        let kind = &it.kind;
        matches!(
            kind,
            EventKind::FaultBegan { .. } | EventKind::FaultEnded { .. }
        )
    });
    let (ended, begun) = (ends.next().ok_or("no end")?, ends.next().ok_or("no begin")?);
    // A busy machine may take a while for the fault itself, which counts from its lookup on.
    assert!(ended.time - begun.time >= 100 * MS, "{begun} to {ended}");
    Ok(())
}

#[snowglobe::test]
fn a_fault_that_waits_in_vain_is_left_out() -> TestResult {
    let lab = nodes(2)?;
    choose_later(&lab);
    let nemesis = Nemesis::new(500 * MS)
        .fault(1, Fault::pause(NodeRef::role("chosen")))
        .lasts(400 * MS..=400 * MS)
        .quiet(400 * MS..=400 * MS)
        .waits(50 * MS);
    let run = lab.nemesis(&nemesis)?;
    assert!(
        run.schedule()
            .to_string()
            .contains(" or within 50ms for 400ms: "),
        "{}",
        run.schedule()
    );
    lab.wait_until(|| run.has_ended())?;
    assert_eq!(run.skipped(), 1);
    run.wait()?;
    assert!(
        faults(&lab)[0].starts_with("left out: pause of node <chosen>"),
        "{:?}",
        faults(&lab)
    );
    Ok(())
}

/// Nothing of a schedule in steps depends on the clock of the machine.
#[snowglobe::test]
fn a_schedule_in_steps_moves_on_with_the_test_alone() -> TestResult {
    let lab = nodes(2)?;
    let is_chosen = choose_later(&lab);
    let chosen = ScheduledFault {
        at: 10 * MS,
        waits: Some(35 * MS),
        lasts: Some(20 * MS),
        fault: Fault::pause(NodeRef::role("chosen")),
    };
    let mut schedule = Schedule::new().then(15 * MS, 40 * MS, Fault::pause("n1"));
    schedule.push(chosen.clone());
    schedule.push(ScheduledFault {
        waits: Some(5 * MS),
        ..chosen
    });
    let mut steps = lab.schedule_in_steps(&schedule)?;
    std::thread::sleep(50 * MS);
    assert!(faults(&lab).is_empty());
    let mut changes = Vec::new();
    for step in 0..8 {
        is_chosen.store(step == 3, Ordering::Relaxed);
        changes.push(steps.advance(10 * MS)?);
    }
    // At 10 ms nobody is chosen, and from 30 ms on, the fault lasts for 20 ms.
    assert_eq!(changes, [0, 1, 0, 1, 0, 2, 0, 0]);
    assert!(steps.has_ended());
    assert_eq!(steps.skipped(), 1);
    steps.stop()?;
    assert_eq!(
        faults(&lab)[1..],
        [
            "left out: pause of node <chosen>: the lab has no node with the role <chosen> at present",
            "fault 2 began: pause of node `n2`",
            "fault 2 ended: pause of node `n2`",
            "fault 1 ended: pause of node `n1`",
        ]
    );
    Ok(())
}

#[snowglobe::test]
fn a_schedule_in_steps_heals_where_it_is_stopped_or_dropped() -> TestResult {
    let lab = nodes(2)?;
    let ears = Ears::new(&lab)?;
    let schedule = Schedule::new().from_then_on(10 * MS, Fault::partition(["n1"], ["n2"]));
    for drops in [false, true] {
        let mut steps = lab.schedule_in_steps(&schedule)?;
        assert_eq!(steps.advance(9 * MS)?, 0);
        assert_eq!(ears.pairs(&lab, 2)?, all(2));
        assert_eq!(steps.advance(MS)?, 1);
        assert_eq!(ears.pairs(&lab, 0)?.len(), 0);
        match drops {
            true => drop(steps),
            false => steps.stop()?,
        }
        assert_eq!(ears.pairs(&lab, 2)?, all(2));
    }
    Ok(())
}

#[snowglobe::test]
fn a_nemesis_leaves_a_whole_lab_behind() -> TestResult {
    let lab = nodes(5)?;
    let ears = Ears::new(&lab)?;
    let nemesis = Nemesis::everything(3000 * MS)
        .lasts(50 * MS..=400 * MS)
        .quiet(10 * MS..=100 * MS)
        .side_by_side(2);
    let run = lab.nemesis(&nemesis)?;
    let drawn = run.schedule().faults().len();
    assert!(drawn >= 8, "{}", run.schedule());
    lab.wait_until(|| run.has_ended())?;
    let skipped = run.skipped();
    run.wait()?;
    let began = faults(&lab)
        .iter()
        .filter(|it| it.contains(" began: "))
        .count();
    assert_eq!(began + skipped, drawn);
    drop(ears);
    // A node that crashed has lost the socket of the test.
    let ears = Ears::new(&lab)?;
    assert_eq!(ears.pairs(&lab, 20)?, all(5));
    Ok(())
}

#[snowglobe::test]
fn the_same_seed_draws_the_same_schedule() -> TestResult {
    let lab = nodes(5)?;
    let nemesis = Nemesis::everything(60_000 * MS).seed(42);
    let first = lab.draw(&nemesis)?;
    assert_eq!(nodes(5)?.draw(&nemesis)?, first);
    assert_ne!(lab.draw(&nemesis.clone().seed(43))?, first);
    assert_eq!(Schedule::from_toml(&first.to_toml()?)?, first);
    Ok(())
}

#[snowglobe::test]
fn an_action_of_the_test_is_done_and_undone_by_name() -> TestResult {
    let lab = nodes(2)?;
    let file = std::env::temp_dir().join("member");
    let (made, gone) = (file.clone(), file.clone());
    lab.action_with_undo(
        "shrink",
        move |_, node| std::fs::write(&made, node.map_or("nobody", |node| node.name())),
        move |_, _| std::fs::remove_file(&gone),
    );
    let shrunk = lab.inject(Fault::action_on("n2", "shrink"))?;
    assert_eq!(std::fs::read_to_string(&file)?, "n2");
    shrunk.heal()?;
    assert!(!file.exists());
    let error = lab.inject(Fault::action("grow")).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotFound);
    Ok(())
}

#[snowglobe::test]
fn what_a_lab_does_not_have_is_refused_before_the_start() -> TestResult {
    let lab = nodes(2)?;
    let refused = |schedule: &Schedule| lab.run_schedule(schedule).unwrap_err();
    let error = refused(&Schedule::new().then(MS, MS, Fault::crash("n3")));
    assert_eq!(error.kind(), LabErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        "failed to carry out a schedule of faults: fault 1 of the schedule (crash of node `n3`): \
         there is no node `n3`; there are `n1`, `n2`"
    );
    let text = "[[fault]]\nat = '1s'\nfault = 'crash'\nnode = 'n1'\n\n[[fault]]\nat = '1s'\n\
                fault = 'cut'\nlink = 'nowhere'\n";
    let error = refused(&Schedule::from_toml(text)?).to_string();
    assert!(
        error.contains("line 9, column 8: fault 2 of the schedule"),
        "{error}"
    );
    let nemesis = Nemesis::new(1000 * MS)
        .fault(1, Fault::crash(NodeRef::any()))
        .nodes(["n1", "x"]);
    let error = lab.nemesis(&nemesis).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::NotFound);
    let answers = snowglobe::dns::DnsFault::servfail();
    let servfail = Fault::dns("n1", answers.clone());
    let error = refused(&Schedule::new().then(MS, MS, servfail));
    assert!(error.to_string().contains("`NodeSpec::dns`"), "{error}");
    let nemesis = Nemesis::new(5000 * MS).fault(1, Fault::dns(NodeRef::any(), answers));
    let error = lab.nemesis(&nemesis).unwrap_err();
    assert!(error.to_string().contains("`NodeSpec::dns`"), "{error}");
    assert!(faults(&lab).is_empty());
    Ok(())
}

#[snowglobe::test]
#[ignore = "a sample: it fails"]
fn sample_that_fails_under_a_nemesis() -> TestResult {
    let lab = nodes(4)?;
    let run = lab.nemesis(
        &Nemesis::partitions(400 * MS)
            .lasts(20 * MS..=100 * MS)
            .quiet(MS..=20 * MS),
    )?;
    println!("drawn: {}", run.schedule());
    run.wait()?;
    Err("lost a write")?
}

#[snowglobe::test]
#[ignore = "a sample: it says its schedule"]
fn sample_that_tells_its_schedule() -> TestResult {
    let lab = nodes(3)?;
    let run = lab.nemesis(&Nemesis::crashes(60_000 * MS))?;
    snowglobe::note(run.schedule().to_string());
    run.stop()?;
    Ok(())
}

/// A failure keeps its schedule, and a run with that file has the same one.
#[snowglobe::test(nested, timeout = "60s")]
fn a_failure_keeps_its_schedule_and_a_file_takes_its_place() -> TestResult {
    let failed = sample("schedules::sample_that_fails_under_a_nemesis");
    failed.failed_with(&[
        "lost a write",
        "schedule: ",
        "SNOWGLOBE_SCHEDULE=this file",
        "drawn: ",
    ]);
    let line = failed
        .stdout
        .lines()
        .find(|line| line.contains("schedule: /"))
        .ok_or("no line")?;
    let path = line
        .split("schedule: ")
        .nth(1)
        .and_then(|it| it.split(';').next())
        .ok_or("no path")?;
    let kept = Schedule::from_toml_file(path)?;
    assert!(failed.stdout.contains(&kept.faults()[0].to_string()));
    std::fs::remove_file(path)?;

    // The trial that takes the file has a `/tmp` of its own, which is empty.
    let file = "/tmp/mine.toml";
    let mine = Schedule::new().then(20 * MS, 30 * MS, Fault::pause("n2"));
    std::fs::write(file, mine.to_toml()?)?;
    let with_file = || {
        let name = "schedules::sample_that_tells_its_schedule";
        let mut command = this_program();
        command
            .args(["--exact", name, "--include-ignored"])
            .env("SNOWGLOBE_SCHEDULE", file);
        command.output().map(finished)
    };
    with_file()?.passed_with(&["1 fault in 50ms at 20ms for 30ms: pause of node `n2`"]);
    std::fs::write(file, "[[fault]]\nat = '1s'\nfault = 'pause'\nnod = 'n1'\n")?;
    let refused = with_file()?;
    assert_eq!(refused.code, Some(64), "{refused:#?}");
    let why = "error: SNOWGLOBE_SCHEDULE names no schedule: /tmp/mine.toml, line 4, column 1: \
               unknown field `nod`, expected `node`";
    assert!(refused.stderr.contains(why), "{refused:#?}");
    assert!(!refused.stdout.contains("running"), "{refused:#?}");
    Ok(())
}
