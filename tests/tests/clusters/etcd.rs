//! etcd, five of them, whose leader is isolated.

use std::time::Instant;

use snowglobe::fault::{Fault, Nemesis, NodeRef, Split};
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe_tests::daemons;
use snowglobe_tests::daemons::etcd::{five_etcd, leads};

use crate::MS;

/// Milliseconds between two heartbeats of a leader, as by default.
const HEARTBEAT: u32 = 100;

/// etcd's own election timeout, to which members add a random part of the same length.
const ELECTION: Duration = Duration::from_millis(1000);

/// Returns what `etcdctl` prints on a node about the member of the same node.
fn etcdctl(node: &Node, arguments: &[&str]) -> Result<String, String> {
    let own = [
        "--endpoints",
        "http://127.0.0.1:2379",
        "--command-timeout",
        "1500ms",
    ];
    daemons::etcdctl(node, &[&own[..], arguments].concat())
}

#[snowglobe::test(fixtures("etcd"), timeout = "120s", threads = 2)]
fn an_isolated_leader_is_replaced_and_the_minority_refuses() -> TestResult {
    let started = Instant::now();
    let cluster = five_etcd(HEARTBEAT)?.start()?;
    snowglobe::note(format!("five etcd ready after {:?}", started.elapsed()));
    let old = cluster.leader()?;
    assert_eq!(etcdctl(old, &["put", "colour", "blue"])?, "OK\n");
    let isolated = cluster.inject(Fault::isolate(NodeRef::role("leader")))?;
    let begun = Instant::now();
    let view = cluster.view();
    let new = cluster.wait_until(|| {
        let mut others = view.nodes().filter(|node| node.id() != old.id());
        others.find(|node| leads(node)).ok_or("no new leader")
    })?;
    let took = begun.elapsed();
    snowglobe::note(format!("a new leader after {took:?}"));
    // A vote that is split costs one more election, and a busy machine splits several.
    assert!(took < 40 * ELECTION, "{took:?}");
    assert_eq!(etcdctl(new, &["put", "colour", "green"])?, "OK\n");
    let refused = etcdctl(old, &["put", "colour", "red"]).unwrap_err();
    assert!(!refused.is_empty());
    // A read that may be stale is answered by the minority, and a linearizable one is not.
    assert!(etcdctl(old, &["get", "colour"]).is_err());
    assert_eq!(
        etcdctl(old, &["get", "colour", "--consistency", "s"])?,
        "colour\nblue\n"
    );
    isolated.heal()?;
    cluster.wait_until(|| match etcdctl(old, &["get", "colour"]) {
        Ok(answer) if answer == "colour\ngreen\n" => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    Ok(())
}

#[snowglobe::test(fixtures("etcd"), timeout = "180s", threads = 2)]
fn acknowledged_writes_outlive_a_random_nemesis() -> TestResult {
    let cluster = five_etcd(HEARTBEAT)?.start()?;
    cluster.set_patience(Duration::from_secs(60));
    let nemesis = Nemesis::new(Duration::from_secs(10))
        .split(2, Split::Halves)
        .split(1, Split::MajoritiesRing)
        .split(1, Split::Bridge)
        .fault(2, Fault::isolate(NodeRef::role("leader")))
        .fault(1, Fault::pause(NodeRef::role("leader")))
        .fault(2, Fault::crash(NodeRef::any()))
        .lasts(1000 * MS..=2500 * MS)
        .quiet(200 * MS..=800 * MS);
    let run = cluster.nemesis(&nemesis)?;
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if run.has_ended() {
            break;
        }
        let node = cluster.member(number % 5);
        let key = format!("k{number}");
        if node.is_running() && etcdctl(node, &["put", &key, "here"]).is_ok() {
            acknowledged.push(key);
        }
    }
    run.wait()?;
    cluster.wait_ready()?;
    snowglobe::note(format!("{} writes were acknowledged", acknowledged.len()));
    assert!(!acknowledged.is_empty());
    let reader = cluster.member(0);
    let keys = cluster.wait_until(|| etcdctl(reader, &["get", "k", "--prefix", "--keys-only"]))?;
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|key| !keys.lines().any(|it| it == **key))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    Ok(())
}
