//! A server with a stale read is found by several clients, and one without is not blamed.

use std::io::{Error, Result};

use snowglobe::fault::Fault;
use snowglobe::history::checks::stale_reads;
use snowglobe::history::models::{Register, RegisterOp, RegisterRet};
use snowglobe::history::{
    AnomalyKind, Client, History, HistoryErrorKind, Interval, Recorder, linearizability, recorder,
};
use snowglobe::prelude::*;

use crate::server::{ask_from, start};

type Call = RegisterOp<u64>;
type Ret = RegisterRet<u64>;

fn read(lab: &Lab, client: &Client<Call, Ret>) -> Option<u64> {
    let answered = client.call(RegisterOp::Read, || -> Result<Ret> {
        let value = ask_from(lab, "client", client.node(), "read")?;
        Ok(RegisterRet::Value(value.parse().map_err(Error::other)?))
    });
    match answered.ok() {
        Some(RegisterRet::Value(value)) => Some(*value),
        _ => None,
    }
}

fn write(lab: &Lab, client: &Client<Call, Ret>, value: u64) -> bool {
    let answered = client.call(RegisterOp::Write(value), || {
        let line = format!("write {value}");
        ask_from(lab, "client", client.node(), &line).map(|_| RegisterRet::Done)
    });
    answered.is_ok()
}

/// Records clients of a register on two nodes, which are parted for a while.
fn record(role: &str) -> TestResult<(History<Call, Ret>, Vec<Interval>)> {
    let mut topology = Topology::new();
    let switch = topology.switch("lan");
    for name in ["primary", "replica", "client"] {
        let node = topology.node(name);
        topology.link(node, switch);
    }
    let lab = topology.start()?;
    start(&lab, "primary", "primary", "replica")?;
    start(&lab, "replica", role, "primary")?;
    let recorder: Recorder<Call, Ret> = recorder();
    let (writer, reader) = (recorder.client("primary"), recorder.client("replica"));
    assert!(write(&lab, &writer, 1));
    // With the bug, a read is stale until the first copy has come. Such reads are not recorded: a
    // report shows the first findings, and they shall be those of the partition.
    let first_copy = || ask_from(&lab, "client", reader.node(), "read");
    lab.wait_until(|| first_copy().is_ok_and(|value| value == "1"))?;
    let parted = lab.inject(Fault::partition(["primary"], ["replica"]))?;
    std::thread::scope(|scope| {
        scope.spawn(|| (2..20).for_each(|value| assert!(write(&lab, &writer, value))));
        scope.spawn(|| read(&lab, &reader));
    });
    // The last write is over, so no read may return another value now.
    read(&lab, &reader);
    parted.heal()?;
    lab.wait_until(|| read(&lab, &reader) == Some(19))?;
    Ok((recorder.history(), lab.fault_intervals()))
}

#[snowglobe::test]
fn a_stale_read_is_found_and_shown_with_the_partition() -> TestResult {
    let (history, faults) = record("stale-replica")?;
    let report = linearizability(&Register::new(0), &history).during(faults.clone());
    assert_eq!(report.checked(), history.len());
    let anomaly = report.anomalies().first().ok_or("nothing was found")?;
    assert_eq!(anomaly.kind, AnomalyKind::NotLinearizable);
    // Two writes and a read contradict each other, or fewer where the read saw the first value.
    assert!((2..=4).contains(&anomaly.operations.len()), "{report}");
    let stale = stale_reads(&history);
    assert!(stale.has(AnomalyKind::StaleRead), "{stale}");
    let text = report.to_string();
    assert!(text.contains("`primary`: Write("), "{text}");
    assert!(text.contains("`replica`: Read → Value("), "{text}");
    // The last read of the partition saw what had been overwritten, all within the fault.
    let text = stale.during(faults).to_string();
    assert!(
        text.contains("partition of `primary` from `replica`"),
        "{text}"
    );
    assert!(text.contains('░'), "{text}");
    Ok(())
}

#[snowglobe::test]
fn a_server_without_the_bug_is_linearizable_under_the_same_partition() -> TestResult {
    let (history, faults) = record("replica")?;
    linearizability(&Register::new(0), &history)
        .during(faults)
        .into_result()?;
    stale_reads(&history).into_result()?;
    let unknown = history.operations().iter();
    let unknown = unknown.filter(|it| it.completion.is_unknown()).count();
    assert!(unknown >= 1, "a read during the partition has no answer");
    let kept = history.to_json_lines()?;
    let file = std::path::Path::new("/tmp/history.jsonl");
    std::fs::write(file, &kept)?;
    let text = std::fs::read_to_string(file)?;
    let again: History<Call, Ret> = History::from_json_lines("/tmp/history.jsonl", &text)?;
    assert_eq!(again, history);
    Ok(())
}

#[snowglobe::test]
fn faults_have_the_times_of_the_operations_around_them() -> TestResult {
    let lab = shape::pair().start()?;
    let recorder: Recorder<&str, ()> = recorder();
    let client = recorder.client("alice");
    let instant = |call| client.call(call, || Ok::<_, Error>(()));
    instant("before");
    let cut = lab.inject(Fault::pause("bob"))?;
    instant("within");
    cut.heal()?;
    instant("after");
    let open = lab.inject(Fault::pause("bob"))?;
    let [healed, lasting] = &lab.fault_intervals()[..] else {
        return Err("two faults")?;
    };
    let history = recorder.history();
    let times = [0, 1, 2].map(|place| history.operations()[place].invoked);
    let end = healed.to.ok_or("the fault was healed")?;
    assert!(times[0] <= healed.from && healed.from <= times[1]);
    assert!(times[1] <= end && end <= times[2]);
    assert_eq!(healed.label, "fault 1: pause of node `bob`");
    assert_eq!(lasting.to, None);
    drop(open);
    Ok(())
}

#[snowglobe::test]
async fn a_future_that_is_given_up_has_an_unknown_outcome() -> TestResult {
    let recorder: Recorder<&str, u8> = recorder();
    let client = recorder.client("alice");
    let never = client.call_async("never", std::future::pending::<Result<u8>>());
    let late = tokio::time::timeout(Duration::from_millis(20), never).await;
    assert!(late.is_err());
    let at_once = client.call_async("at once", async { Ok::<_, Error>(7) });
    assert_eq!(at_once.await.ok(), Some(&7));
    let history = recorder.history();
    let [never, at_once] = history.operations() else {
        return Err("two operations")?;
    };
    assert!(never.completion.is_unknown() && never.completed.is_some());
    assert!(at_once.completion.is_ok() && never.invoked <= at_once.invoked);
    Ok(())
}

#[snowglobe::test]
fn a_completion_without_an_invocation_is_an_error_with_its_line() {
    let text = "{\"ok\":{\"op\":7,\"at\":20,\"ret\":\"done\"}}\n";
    let error = History::<Call, Ret>::from_json_lines("history.jsonl", text).unwrap_err();
    assert!(matches!(error.kind(), HistoryErrorKind::NotInvoked { .. }));
    let said = error.to_string();
    assert!(
        said.starts_with("history.jsonl:1: operation 7 is completed, and was not invoked"),
        "{said}"
    );
}
