//! Members of etcd that leave the cluster, and come back as new ones without data.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use snowglobe::fault::{Fault, Schedule, ScheduledFault};
use snowglobe::history::linearizability;
use snowglobe::lab::{LabView, Node, RunningCluster, wait_until};
use snowglobe::prelude::*;
use snowglobe_tests::daemons::etcd::{EtcdClient, etcd_command};

use crate::etcd::{HEARTBEAT, MS, five, told};
use crate::registers::{Registers, Workload, model};

/// Time for the others to agree: an election may be under way.
const AGREED: Duration = Duration::from_secs(30);

/// Name of the action of a schedule: a member leaves, and comes back when the fault is healed.
pub(crate) const LEAVE: &str = "leave";

/// Lets schedules take members out of the cluster.
pub(crate) fn permit_to_leave(cluster: &RunningCluster) {
    cluster.action_with_undo(
        LEAVE,
        |view, node| leave(view, node.ok_or("a member leaves")?),
        |view, node| join(view, node.ok_or("a member joins")?),
    );
}

/// Asks the other members that run, one by one, whenever the next answer is taken.
fn ask_each(
    view: &LabView,
    node: &Node,
    what: &str,
    question: &Value,
) -> impl Iterator<Item = Result<Value, String>> {
    let others = view.nodes().filter(|it| it.id() != node.id());
    others.filter(|it| it.is_running()).map(move |other| {
        let mut client = EtcdClient::new(other, Duration::from_secs(2));
        let answer = client.ask(&format!("/v3/cluster/member/{what}"), question);
        answer.ok().cloned().ok_or(format!("{answer:?}"))
    })
}

/// Asks the other members, until one answers.
fn ask_others(view: &LabView, node: &Node, what: &str, question: &Value) -> Result<Value, String> {
    let mut last = "nobody runs".to_owned();
    for answer in ask_each(view, node, what, question) {
        match answer {
            Ok(answer) => return Ok(answer),
            Err(why) => last = why,
        }
    }
    Err(last)
}

fn peer_url(node: &Node) -> String {
    format!("http://{}:2380", node.name())
}

/// Returns the name of the node on which a member of the list is, or is about to start.
fn name_of(member: &Value) -> Option<&str> {
    let url = member["peerURLs"][0].as_str()?;
    url.strip_prefix("http://")?.strip_suffix(":2380")
}

/// Returns all members as the others know them, and among them the one on the node.
///
/// # Errors
/// If nobody answers, or if two answers differ: each member tells what it has applied itself, and
/// a new member asks any one of them, and ends at once where the answer is not the list that the
/// new member was started with ("member count is unequal").
fn members(view: &LabView, node: &Node) -> Result<(Vec<Value>, Option<Value>), String> {
    let question = json!({});
    let answers = ask_each(view, node, "list", &question);
    let (answers, refusals): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
    let mut lists = answers.into_iter().flatten().map(|answer| {
        let all = answer["members"].as_array().cloned().unwrap_or_default();
        let urls = all.iter().map(|it| it["peerURLs"][0].to_string());
        (urls.collect::<BTreeSet<_>>(), all)
    });
    let (urls, all) = lists
        .next()
        .ok_or(format!("nobody answers: {refusals:?}"))?;
    if let Some((others, _)) = lists.find(|(others, _)| *others != urls) {
        return Err(format!("one member knows {urls:?}, another {others:?}"));
    }
    let own = all
        .iter()
        .find(|it| it["peerURLs"][0] == peer_url(node))
        .cloned();
    Ok((all, own))
}

fn leave(view: &LabView, node: &Node) -> Result<(), String> {
    // The node goes on without etcd, and the member's data are of no use to the next one.
    node.set_commands([]);
    node.restart().map_err(|error| error.to_string())?;
    let forget = || std::fs::remove_dir_all("/run/data/member");
    let forgotten = node.try_run(forget).map_err(|error| error.to_string())?;
    forgotten.map_err(|error| format!("/run/data/member: {error}"))?;
    // Whoever has had no answer looks whether the member is gone all the same.
    let gone = wait_until(AGREED, || match members(view, node)? {
        (_, None) => Ok(()),
        (_, Some(own)) => {
            ask_others(view, node, "remove", &json!({"ID": own["ID"]}))?;
            Err("removed, and not looked at".to_owned())
        }
    });
    gone.map_err(|error| error.to_string())
}

fn join(view: &LabView, node: &Node) -> Result<(), String> {
    let all = wait_until(AGREED, || match members(view, node)? {
        (all, Some(_)) => Ok(all),
        (_, None) => {
            ask_others(view, node, "add", &json!({"peerURLs": [peer_url(node)]}))?;
            Err("added, and not looked at".to_owned())
        }
    });
    let all = all.map_err(|error| error.to_string())?;
    // The URL says the name, since `name` is empty until a member has published it: etcd listens
    // for clients before that (etcd 3.4, server/etcdserver `publish`), so the wait for the port of
    // a member that joined before this one does not wait for its name.
    let names: Vec<&str> = all.iter().filter_map(name_of).collect();
    let command = etcd_command(node.name(), &names, HEARTBEAT);
    node.set_commands([command.args(["--initial-cluster-state", "existing"])]);
    node.restart().map_err(|error| error.to_string())
}

/// Each member in turn is removed, and a new one without data takes its place; nobody notices.
#[snowglobe::test(fixtures("etcd"), timeout = "240s", threads = 2)]
fn registers_are_linearizable_while_every_member_is_replaced() -> TestResult {
    let cluster = five()?;
    permit_to_leave(&cluster);
    let schedule: Schedule = cluster
        .names()
        .into_iter()
        .zip(0..)
        .map(|(name, place)| ScheduledFault {
            at: 500 * MS + 2500 * MS * place,
            waits: None,
            lasts: Some(1000 * MS),
            fault: Fault::action_on(name, LEAVE),
        })
        .collect();
    let before = ids(&cluster)?;
    let run = cluster.run_schedule(&schedule)?;
    let registers = Registers::new(Workload {
        keys: 2,
        pause: 20 * MS,
        may_be_stale: false,
    });
    registers.work(&cluster, || run.has_ended());
    assert_eq!(run.skipped(), 0);
    run.wait()?;
    cluster.wait_ready()?;
    registers.read_all(&cluster)?;
    let after = ids(&cluster)?;
    assert_eq!(after.len(), 5);
    assert!(after.is_disjoint(&before), "{before:?}, then {after:?}");
    let history = registers.history();
    snowglobe::note(told(&history));
    linearizability(&model(), &history)
        .during(cluster.fault_intervals())
        .into_result()?;
    Ok(())
}

/// Returns the ids of all members.
fn ids(cluster: &RunningCluster) -> TestResult<BTreeSet<String>> {
    let mut client = EtcdClient::new(cluster.member(0), AGREED);
    let answer = client.ask("/v3/cluster/member/list", &json!({}));
    let list = answer.ok().ok_or("no list of members")?;
    let members = list["members"].as_array().cloned().unwrap_or_default();
    Ok(members.iter().map(|it| it["ID"].to_string()).collect())
}
