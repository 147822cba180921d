//! The faults of a clock: how they begin, go on, meet each other and end.

use std::time::Instant;

use snowglobe::events::EventKind;
use snowglobe::fault::{ClockFault, Fault, TimeShift};
use snowglobe::lab::LabErrorKind;
use snowglobe::prelude::*;

use crate::programs::{behind, pair};
use crate::reader::Reader;

/// Longest time, in seconds, from the answer of a program to our own look at the clock.
const SLACK: f64 = 20.0;

fn shift(text: &str) -> TimeShift {
    TimeShift::parse(text).unwrap()
}

fn assert_about(seen: f64, expected: f64) {
    assert!((seen - expected).abs() < SLACK, "{seen}, not {expected}");
}

#[snowglobe::test(timeout = "60s")]
fn a_clock_jumps_while_programs_run() -> TestResult {
    let lab = pair()?;
    let mut reader = Reader::start(lab.node("wrong").unwrap())?;
    let mut other = Reader::start(lab.node("right").unwrap())?;
    assert_about(reader.read()?.ahead, 0.0);
    let ahead = ClockFault::Jump(shift("1h"));
    let first = lab.inject(Fault::clock("wrong", ahead))?;
    assert_about(reader.read()?.ahead, 3600.0);
    assert_about(reader.ask("thread")?.ahead, 3600.0);
    // Jumps add up, and each takes its own away.
    let second = lab.inject(Fault::clock("wrong", ClockFault::Jump(shift("-3h"))))?;
    assert_about(reader.read()?.ahead, -7200.0);
    first.heal()?;
    assert_about(reader.read()?.ahead, -10_800.0);
    // An offset counts from the clock of the machine.
    let offset = lab.inject(behind("wrong", 600))?;
    assert_about(reader.read()?.ahead, -600.0);
    drop((second, offset));
    let right = reader.read()?;
    assert_about(right.ahead, 0.0);
    // The monotonic clock has never jumped.
    assert_about(right.monotonic, 0.0);
    assert_about(other.read()?.ahead, 0.0);
    let began = lab.events().so_far().into_iter().filter(|event| {
        matches!(
            &event.kind,
            EventKind::FaultBegan {
                fault: Fault::Clock { .. },
                ..
            }
        )
    });
    assert_eq!(began.count(), 3);
    Ok(())
}

#[snowglobe::test(timeout = "60s")]
fn a_clock_drifts() -> TestResult {
    let lab = pair()?;
    let mut reader = Reader::start(lab.node("wrong").unwrap())?;
    for (drift, speed) in [(500_000, 1.5), (-500_000, 0.5), (1_000_000, 2.0)] {
        let _fault = lab.inject(Fault::clock("wrong", ClockFault::Drift(drift)))?;
        let first = reader.read()?;
        let start = Instant::now();
        // The drift is measured over some time.
        while start.elapsed() < Duration::from_millis(300) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let last = reader.read()?;
        let measured = (last.time - first.time) / (last.monotonic - first.monotonic);
        // The reader reads its two clocks one after the other, and may be delayed in between: a
        // hundredth is 3 ms here. A clock that does not drift is far away.
        assert!((measured - speed).abs() < 0.2, "{measured}, not {speed}");
    }
    Ok(())
}

#[snowglobe::test(timeout = "60s")]
fn a_clock_stands_still() -> TestResult {
    let lab = pair()?;
    let mut reader = Reader::start(lab.node("wrong").unwrap())?;
    let fault = lab.inject(Fault::clock("wrong", ClockFault::Freeze))?;
    let (first, second) = (reader.read()?, reader.read()?);
    assert!(second.monotonic > first.monotonic);
    assert_eq!(first.time.to_bits(), second.time.to_bits());
    // Another program of the node, which starts later, sees the same.
    let other = Reader::start(lab.node("wrong").unwrap())?.read()?;
    assert_eq!(first.time.to_bits(), other.time.to_bits());
    fault.heal()?;
    let (third, fourth) = (reader.read()?, reader.read()?);
    assert!(first.time < third.time && third.time < fourth.time);
    Ok(())
}

#[snowglobe::test(timeout = "60s")]
fn a_node_that_restarts_keeps_its_wrong_clock() -> TestResult {
    let lab = pair()?;
    let node = lab.node("wrong").unwrap();
    let fault = lab.inject(behind("wrong", 3600))?;
    node.crash()?;
    node.restart()?;
    assert_about(Reader::start(node)?.read()?.ahead, -3600.0);
    node.crash()?;
    fault.heal()?;
    node.restart()?;
    assert_about(Reader::start(node)?.read()?.ahead, 0.0);
    Ok(())
}

#[snowglobe::test(timeout = "60s")]
fn a_program_under_a_wrong_clock_is_paused_and_gets_signals() -> TestResult {
    let lab = pair()?;
    let node = lab.node("wrong").unwrap();
    let mut reader = Reader::start(node)?;
    let _fault = lab.inject(behind("wrong", 3600))?;
    node.pause()?;
    node.resume()?;
    assert_about(reader.read()?.ahead, -3600.0);
    reader.process.terminate()?;
    let status = reader.process.wait()?;
    assert!(!status.success(), "{status}");
    let missing = node.command("no-such-program").status().unwrap_err();
    assert_eq!(missing.raw_os_error(), Some(nix::libc::ENOENT));
    let status = node.command("sh").args(["-c", "kill -9 $$"]).status()?;
    assert!(!status.success());
    Ok(())
}

#[snowglobe::test(timeout = "60s")]
fn what_cannot_be_is_refused_by_name() -> TestResult {
    let lab = pair()?;
    let refused = lab.inject(behind("right", 1)).unwrap_err();
    assert_eq!(refused.kind(), LabErrorKind::NotSupported);
    assert!(refused.to_string().contains("node `right`"), "{refused}");
    assert!(refused.to_string().contains("faulty_clock"), "{refused}");
    let drift = ClockFault::Drift(2_000_000);
    let refused = lab.inject(Fault::clock("wrong", drift)).unwrap_err();
    assert_eq!(refused.kind(), LabErrorKind::InvalidArgument);
    // A clock that no fault of ours reaches, with the reason and what there is instead.
    let timers = r#"{ "fault": "clock", "node": "wrong", "change": { "monotonic-drift": 500 } }"#;
    let refused = lab.inject(serde_json::from_str(timers)?).unwrap_err();
    assert!(
        refused.to_string().contains("timers of the kernel"),
        "{refused}"
    );
    assert!(refused.to_string().contains("Fault::slow"), "{refused}");
    let text = r#"{ "fault": "clock", "node": "wrong", "change": { "offset": "-1h" } }"#;
    let fault: Fault = serde_json::from_str(text)?;
    assert_eq!(fault, behind("wrong", 3600));
    let wrong = text.replace("-1h", "an hour");
    let error = serde_json::from_str::<Fault>(&wrong).unwrap_err();
    assert!(error.to_string().contains("an hour"), "{error}");
    Ok(())
}

#[snowglobe::test(timeout = "60s")]
fn containers_that_share_processes_have_clocks_of_their_own() -> TestResult {
    let mut topology = Topology::new();
    let pod = topology.pod(PodSpec::new("pod").share_pid());
    let wrong = topology.container(pod, NodeSpec::new("wrong").faulty_clock());
    let right = topology.container(pod, "right");
    let lab = topology.start()?;
    let mut reader = Reader::start(&lab[wrong])?;
    let mut other = Reader::start(&lab[right])?;
    let fault = lab.inject(behind("pod/wrong", 3600))?;
    assert_about(reader.read()?.ahead, -3600.0);
    assert_about(other.read()?.ahead, 0.0);
    fault.heal()?;
    assert_about(reader.read()?.ahead, 0.0);
    Ok(())
}

#[snowglobe::test(user = 1000, timeout = "60s")]
fn a_test_that_is_an_ordinary_user_has_wrong_clocks() -> TestResult {
    let lab = pair()?;
    let mut reader = Reader::start(lab.node("wrong").unwrap())?;
    let _fault = lab.inject(behind("wrong", 3600))?;
    assert_about(reader.read()?.ahead, -3600.0);
    assert_about(
        Reader::start(lab.node("right").unwrap())?.read()?.ahead,
        0.0,
    );
    Ok(())
}
