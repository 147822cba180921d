//! redis with sentinels: the known weakness. A master acknowledges what its replicas do not have
//! yet, and a failover throws that away.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use snowglobe::fault::Fault;
use snowglobe::history::checks::sets;
use snowglobe::history::models::{SetOp, SetRet};
use snowglobe::history::{AnomalyKind, Client, Completion, History, Recorder, recorder};
use snowglobe::lab::{Node, RunningCluster};
use snowglobe::prelude::*;
use snowglobe_tests::daemons::sentinels::{RedisConnection, STORE, master, three_redis};

use crate::ask_over;

type Call = SetOp<u32>;
type Ret = SetRet<u32>;

const MS: Duration = Duration::from_millis(1);

/// Time for which clients wait for an answer.
const ANSWER: Duration = Duration::from_millis(500);

fn three() -> TestResult<RunningCluster> {
    let cluster = three_redis()?;
    cluster.set_patience(Duration::from_secs(60));
    Ok(cluster)
}

/// Opens a connection to the redis that the sentinel of the node takes for the master.
fn to_master(node: &Node) -> Result<RedisConnection, String> {
    let master = master(node, ANSWER)?;
    RedisConnection::open(node, (master, STORE), ANSWER).map_err(|error| error.to_string())
}

/// Adds one number after another to a set, at the master that the own sentinel names.
fn add_numbers(node: &Node, client: &Client<Call, Ret>, next: &AtomicU32, is_over: &AtomicBool) {
    let mut connection = None;
    while !is_over.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let completion = client.call(SetOp::Add(number), || {
            let add = |redis: &mut RedisConnection| redis.ask(&format!("SADD numbers {number}"));
            ask_over(&mut connection, || to_master(node), add).map(|_| SetRet::Done)
        });
        // A client that got no answer asks its sentinel again.
        thread::sleep(if completion.is_ok() { 3 * MS } else { 50 * MS });
    }
}

/// Reads the whole set at the master.
fn read(node: &Node, client: &Client<Call, Ret>) -> Completion<Ret> {
    client.call(SetOp::Read, || -> Result<Ret, String> {
        let answer = to_master(node)?.ask("SMEMBERS numbers");
        let reply = answer.ok().ok_or_else(|| format!("{answer:?}"))?;
        let numbers = reply.texts().into_iter().map(str::parse::<u32>);
        let numbers = numbers
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        Ok(SetRet::Elements(numbers))
    })
}

/// Lets three clients add numbers while `during` is done, and reads all numbers in the end.
fn record(
    cluster: &RunningCluster,
    during: impl FnOnce(&Recorder<Call, Ret>) -> TestResult,
) -> TestResult<History<Call, Ret>> {
    let recorder = recorder();
    let (next, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for member in cluster.members() {
            let client = recorder.client(member.name());
            let (next, is_over) = (&next, &is_over);
            scope.spawn(move || add_numbers(member, &client, next, is_over));
        }
        let done = during(&recorder);
        is_over.store(true, Ordering::Relaxed);
        done
    })?;
    let member = cluster.member(1);
    let client = recorder.client(member.name());
    cluster.wait_until(|| match read(member, &client) {
        Completion::Ok(_) => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    Ok(recorder.history())
}

/// Waits until clients of these nodes have added so many numbers more.
fn await_adds(
    cluster: &RunningCluster,
    recorder: &Recorder<Call, Ret>,
    nodes: &[&str],
) -> TestResult {
    let added = |history: &History<Call, Ret>| {
        let all = history.operations().iter();
        let all = all.filter(|it| it.completion.is_ok() && nodes.contains(&&*it.node));
        all.count()
    };
    let before = added(&recorder.history());
    cluster.wait_until(|| match added(&recorder.history()) {
        now if now >= before + 20 => Ok(()),
        now => Err(format!(
            "{} of 20 numbers were added by {nodes:?}",
            now - before
        )),
    })?;
    Ok(())
}

#[snowglobe::test(fixtures("redis"), timeout = "180s")]
fn what_a_cut_off_master_acknowledges_is_lost_and_the_set_checker_finds_it() -> TestResult {
    let cluster = three()?;
    let old = cluster.member(0).ip();
    let history = record(&cluster, |recorder| {
        await_adds(&cluster, recorder, &["r0", "r1", "r2"])?;
        let split = cluster.inject(Fault::partition(["r0"], ["r1", "r2"]))?;
        await_adds(&cluster, recorder, &["r0"])?;
        cluster.wait_until(|| match master(cluster.member(1), ANSWER) {
            Ok(new) if new != old => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        await_adds(&cluster, recorder, &["r1", "r2"])?;
        split.heal()?;
        // The sentinels make the old master a replica, and its client hears of the new one.
        cluster.wait_until(|| match master(cluster.member(0), ANSWER) {
            Ok(new) if new != old => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        await_adds(&cluster, recorder, &["r0"])
    })?;
    let report = sets(&history).during(cluster.fault_intervals());
    let lost = report.anomalies().iter();
    let lost: Vec<_> = lost
        .filter(|it| it.kind == AnomalyKind::LostWrite)
        .collect();
    snowglobe::note(format!(
        "{} of {} operations were acknowledged and are lost",
        lost.len(),
        history.len()
    ));
    // Nothing else is wrong.
    assert_eq!(lost.len(), report.anomalies().len(), "{report}");
    let adds = lost.iter().filter_map(|it| history.get(it.operations[0]));
    let begun = cluster.fault_intervals()[0].from;
    let at_the_old = adds.clone().filter(|it| &*it.node == "r0");
    assert!(at_the_old.count() >= 20, "{report}");
    let is_older = |end: Duration| end + 1000 * MS < begun;
    let mut older = adds.filter(|it| it.completed.is_some_and(is_older));
    assert_eq!(
        older.next(),
        None,
        "the replicas had it before the partition"
    );
    let text = report.to_string();
    assert!(text.contains("lost write: "), "{text}");
    assert!(text.contains("partition of `r0` from `r1`, `r2`"), "{text}");
    assert!(text.contains('░'), "{text}");
    Ok(())
}

#[snowglobe::test(fixtures("redis"), timeout = "120s")]
fn without_a_partition_redis_loses_nothing() -> TestResult {
    let cluster = three()?;
    let history = record(&cluster, |recorder| {
        await_adds(&cluster, recorder, &["r0"])?;
        await_adds(&cluster, recorder, &["r1", "r2"])
    })?;
    sets(&history).into_result()?;
    assert!(history.len() > 40);
    Ok(())
}
