//! NATS with JetStream, three servers, for which nobody has tuned this crate: what a stream has
//! acknowledged comes out of it, once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use snowglobe::Cluster;
use snowglobe::fault::{Fault, Nemesis, NodeRef, Split};
use snowglobe::history::checks::queues;
use snowglobe::history::models::{QueueOp, QueueRet};
use snowglobe::history::{AnomalyKind, Client, Completion, History, Recorder, recorder};
use snowglobe::lab::{ALARMING, LabView, Node, RunningCluster};
use snowglobe::prelude::*;
use snowglobe::topology::{NodeId, StartCommand};
use snowglobe_tests::daemons::nats::{NatsConnection, PORT};
use snowglobe_tests::has_fuse;

use crate::ask_over;

type Call = QueueOp<u32>;
type Ret = QueueRet<u32>;

const MS: Duration = Duration::from_millis(1);

const STREAM: &str = "EVENTS";

/// Time for which clients wait for an answer. A server that has lost its leader answers nothing.
const ANSWER: Duration = Duration::from_millis(1500);

fn server(number: usize, names: &[String]) -> StartCommand {
    let name = &names[number];
    let others = names.iter().filter(|it| *it != name);
    let routes: Vec<String> = others.map(|it| format!("nats://{it}:6222")).collect();
    StartCommand::new("nats-server")
        .args(["--name", name, "--addr", "0.0.0.0", "--jetstream"])
        .args(["--store_dir", "/run/data", "--cluster_name", "three"])
        .args(["--cluster", "nats://0.0.0.0:6222"])
        .args(["--routes".to_owned(), routes.join(",")])
        .ready_port(PORT)
}

/// Asks JetStream's interface by way of a node.
fn ask(node: &Node, what: &str) -> Result<serde_json::Value, String> {
    let connection = NatsConnection::open(node, ANSWER);
    let answer = connection.and_then(|mut it| it.jetstream(what, &serde_json::json!({})));
    answer.map_err(|error| error.to_string())
}

fn leader(view: &LabView) -> Option<NodeId> {
    let told = view.nodes().filter(|node| node.is_running());
    let mut told = told.filter_map(|node| ask(node, &format!("STREAM.INFO.{STREAM}")).ok());
    let info = told.next()?;
    view.node(info["cluster"]["leader"].as_str()?).map(Node::id)
}

/// Starts three servers with one stream, which is on all of them.
fn three(volume: fn(&str) -> Volume) -> TestResult<RunningCluster> {
    let fixture = Fixture::find("nats")?;
    let names: Vec<String> = (1..=3).map(|n| format!("n{n}")).collect();
    let cluster = Cluster::of(3, |number| {
        NodeSpec::new(&names[number])
            .rootfs(&fixture)
            .volume("/run/data", volume(&names[number]))
            .command(server(number, &names))
    });
    let cluster = cluster.leader(leader).start()?;
    cluster.set_patience(Duration::from_secs(90));
    cluster.forbid_in_logs(ALARMING);
    cluster.wait_until(|| {
        let connection = NatsConnection::open(cluster.member(0), ANSWER);
        connection.and_then(|mut it| it.make_stream(STREAM))
    })?;
    Ok(cluster)
}

/// Publishes one number after another until the time for it is over.
fn publish(
    node: &Node,
    client: &Client<Call, Ret>,
    next: &AtomicU32,
    is_over: &(dyn Fn() -> bool + Sync),
) {
    let mut connection = None;
    while !is_over() {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let completion = client.call(QueueOp::Enqueue(number), || {
            let open = || NatsConnection::open(node, ANSWER);
            let publish = |nats: &mut NatsConnection| nats.publish(STREAM, &number.to_string());
            ask_over(&mut connection, open, publish).map(|()| QueueRet::Done)
        });
        thread::sleep(if completion.is_ok() { 5 * MS } else { 50 * MS });
    }
}

/// Lets two clients of each member publish until the time for it is over.
fn publish_all(
    cluster: &RunningCluster,
    recorder: &Recorder<Call, Ret>,
    next: &AtomicU32,
    is_over: impl Fn() -> bool + Sync,
) {
    thread::scope(|scope| {
        for member in cluster.members() {
            for _ in 0..2 {
                let client = recorder.client(member.name());
                let is_over = &is_over;
                scope.spawn(move || publish(member, &client, next, is_over));
            }
        }
    });
}

/// Takes all messages out of the stream, one by one, as the checker wants to see it.
fn drain(cluster: &RunningCluster, recorder: &Recorder<Call, Ret>) -> TestResult {
    let node = cluster.leader()?;
    let client = recorder.client(node.name());
    let mut nats = NatsConnection::open(node, 20 * ANSWER)?;
    let mut place = 1;
    loop {
        let taken = client.begin(QueueOp::Dequeue);
        // The servers agree on the stream by now, and may still elect who answers for JetStream as
        // a whole: until then the answer is 503, "temporarily unavailable" (seen 2026-11-30).
        let found = cluster.wait_until(|| match nats.message(STREAM, place) {
            Err(error) if !error.to_string().contains("\"code\":503") => Ok(Err(error)),
            told => told.map(Ok),
        })?;
        match found? {
            Some((at, message)) => {
                taken.complete(Completion::Ok(QueueRet::Element(message.parse()?)));
                place = at + 1;
            }
            None => {
                taken.complete(Completion::Ok(QueueRet::Empty));
                return Ok(());
            }
        }
    }
}

/// Waits until the leader and both replicas have the same messages.
fn await_agreement(cluster: &RunningCluster) -> TestResult {
    cluster.wait_ready()?;
    cluster.wait_until(|| {
        let info = ask(cluster.member(0), &format!("STREAM.INFO.{STREAM}"))?;
        let replicas = info["cluster"]["replicas"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let current = replicas.iter().filter(|it| it["current"] == true);
        match current.count() {
            2 => Ok(()),
            _ => Err(info["cluster"].to_string()),
        }
    })?;
    Ok(())
}

fn acknowledged(history: &History<Call, Ret>) -> usize {
    let answers = history.operations().iter();
    let answers = answers.filter_map(|it| it.completion.ok());
    answers.filter(|ret| **ret == QueueRet::Done).count()
}

fn told(history: &History<Call, Ret>) -> String {
    let unknown = history.operations().iter();
    let unknown = unknown.filter(|it| it.completion.is_unknown());
    format!(
        "{} messages were acknowledged, {} have unknown outcomes",
        acknowledged(history),
        unknown.count()
    )
}

/// Publishes under a nemesis, and finds each acknowledged message afterwards.
fn check_under(cluster: &RunningCluster, nemesis: &Nemesis) -> TestResult {
    let run = cluster.nemesis(nemesis)?;
    let recorder = recorder();
    let next = AtomicU32::new(0);
    publish_all(cluster, &recorder, &next, || run.has_ended());
    run.wait()?;
    await_agreement(cluster)?;
    drain(cluster, &recorder)?;
    let history = recorder.history();
    snowglobe::note(told(&history));
    queues(&history)
        .during(cluster.fault_intervals())
        .into_result()?;
    let nodes = history.operations().iter();
    let nodes = nodes.filter(|it| it.completion.is_ok());
    let nodes: BTreeSet<&str> = nodes.map(|it| &*it.node).collect();
    assert_eq!(nodes.len(), 3, "{nodes:?}");
    Ok(())
}

/// A server waits 4 s at least before it wants another leader, so that these faults are too short
/// for an election.
#[snowglobe::test(fixtures("nats"), timeout = "180s", threads = 2)]
fn acknowledged_messages_come_out_after_short_faults_of_followers() -> TestResult {
    let cluster = three(|name| Volume::named(name))?;
    cluster.role("follower", |view| {
        let leader = leader(view)?;
        let mut others = view.nodes().filter(|node| node.is_running());
        others.find(|node| node.id() != leader).map(Node::id)
    });
    let nemesis = Nemesis::new(Duration::from_secs(15))
        .fault(1, Fault::isolate(NodeRef::role("follower")))
        .fault(1, Fault::kill_processes(NodeRef::role("follower")))
        .fault(1, Fault::pause(NodeRef::role("follower")))
        .lasts(1000 * MS..=2500 * MS)
        .quiet(500 * MS..=1500 * MS);
    check_under(&cluster, &nemesis)
}

/// NATS 2.9.10 loses messages that it has acknowledged when its leader changes: one of 13,319 in
/// one of four runs of this test (measured for this project, 2026-11). Which seed shows that
/// depends on the machine.
#[snowglobe::test(fixtures("nats"), timeout = "240s", threads = 2)]
#[ignore = "a finding: NATS 2.9.10 loses acknowledged messages now and then"]
fn acknowledged_messages_come_out_after_faults_of_the_leader() -> TestResult {
    let cluster = three(|name| Volume::named(name))?;
    let nemesis = Nemesis::new(Duration::from_secs(30))
        .fault(2, Fault::isolate(NodeRef::role("leader")))
        .split(1, Split::One)
        .fault(1, Fault::kill_processes(NodeRef::role("leader")))
        .fault(1, Fault::pause(NodeRef::any()))
        .lasts(5000 * MS..=8000 * MS)
        .quiet(1000 * MS..=2000 * MS);
    check_under(&cluster, &nemesis)
}

/// The servers of this release sync every two minutes: until then, what they have acknowledged is
/// in the page cache alone. A power cut of all of them at once shows that.
#[snowglobe::test(fixtures("nats"), timeout = "180s")]
fn a_power_cut_of_all_servers_loses_acknowledged_messages() -> TestResult {
    if !has_fuse() {
        return Ok(());
    }
    let cluster = three(|name| Volume::named(name).with_faults())?;
    let recorder = recorder();
    let next = AtomicU32::new(0);
    let publish_more = || {
        let before = acknowledged(&recorder.history());
        let is_enough = || acknowledged(&recorder.history()) >= before + 50;
        publish_all(&cluster, &recorder, &next, is_enough);
    };
    publish_more();
    for name in cluster.names() {
        cluster.disk(&name)?.sync()?;
    }
    let synced = acknowledged(&recorder.history());
    publish_more();
    for member in cluster.members() {
        member.crash()?;
    }
    for member in cluster.members() {
        member.restart()?;
    }
    await_agreement(&cluster)?;
    drain(&cluster, &recorder)?;
    let history = recorder.history();
    let report = queues(&history);
    let lost = report.anomalies().iter();
    let lost = lost.filter(|it| it.kind == AnomalyKind::LostWrite).count();
    snowglobe::note(format!("{}, {lost} are lost", told(&history)));
    assert!(lost > 0, "{report}");
    assert!(lost <= acknowledged(&history) - synced, "{report}");
    Ok(())
}
