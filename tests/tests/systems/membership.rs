//! Members of etcd that leave the cluster, and come back as new ones without data.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use snowglobe::lab::{Node, RunningCluster, Scene, wait_until};
use snowglobe::prelude::*;
use snowglobe_tests::daemons::etcd::EtcdClient;

use crate::etcd::command;

/// Time for the others to agree: an election may be under way.
const AGREED: Duration = Duration::from_secs(30);

/// Name of the action of a schedule: a member leaves, and comes back when the fault is healed.
pub(crate) const LEAVE: &str = "leave";

/// Lets schedules take members out of the cluster.
pub(crate) fn permit_to_leave(cluster: &RunningCluster) {
    let joined = AtomicU32::new(0);
    let join = move |scene: &Scene, node: Option<&Node>| {
        let number = joined.fetch_add(1, Ordering::Relaxed);
        join(scene, node.ok_or("a member joins")?, number)
    };
    cluster.action_with_undo(
        LEAVE,
        |scene, node| leave(scene, node.ok_or("a member leaves")?),
        join,
    );
}

/// Asks the other members, until one answers.
fn ask_others(scene: &Scene, node: &Node, what: &str, question: &Value) -> Result<Value, String> {
    let others = scene
        .nodes()
        .filter(|it| it.id() != node.id() && it.is_running());
    let mut last = "nobody runs".to_owned();
    for other in others {
        let mut client = EtcdClient::new(other, Duration::from_secs(2));
        let answer = client.ask(&format!("/v3/cluster/member/{what}"), question);
        match answer.ok() {
            Some(answer) => return Ok(answer.clone()),
            None => last = format!("{answer:?}"),
        }
    }
    Err(last)
}

fn peer_url(node: &Node) -> String {
    format!("http://{}:2380", node.name())
}

/// Returns all members as the others know them, and among them the one on the node.
fn members(scene: &Scene, node: &Node) -> Result<(Vec<Value>, Option<Value>), String> {
    let list = ask_others(scene, node, "list", &json!({}))?;
    let all = list["members"].as_array().cloned().unwrap_or_default();
    let own = all
        .iter()
        .find(|it| it["peerURLs"][0] == peer_url(node))
        .cloned();
    Ok((all, own))
}

fn leave(scene: &Scene, node: &Node) -> Result<(), String> {
    node.kill_processes().map_err(|error| error.to_string())?;
    // Whoever has had no answer looks whether the member is gone all the same.
    let gone = wait_until(AGREED, || match members(scene, node)? {
        (_, None) => Ok(()),
        (_, Some(own)) => {
            ask_others(scene, node, "remove", &json!({"ID": own["ID"]}))?;
            Err("removed, and not looked at".to_owned())
        }
    });
    gone.map_err(|error| error.to_string())
}

fn join(scene: &Scene, node: &Node, number: u32) -> Result<(), String> {
    let all = wait_until(AGREED, || match members(scene, node)? {
        (all, Some(_)) => Ok(all),
        (_, None) => {
            ask_others(scene, node, "add", &json!({"peerURLs": [peer_url(node)]}))?;
            Err("added, and not looked at".to_owned())
        }
    });
    let all = all.map_err(|error| error.to_string())?;
    // A member that has not started yet has no name.
    let names = all.iter().filter_map(|it| it["name"].as_str());
    let names: Vec<&str> = names
        .filter(|it| !it.is_empty())
        .chain([node.name()])
        .collect();
    let command = command(node.name(), &names)
        .args(["--initial-cluster-state", "existing"])
        // The last of two options counts. What the member was before is of no use to it.
        .args(["--data-dir".to_owned(), format!("/run/data/{number}")]);
    node.set_commands([command]);
    node.restart().map_err(|error| error.to_string())
}
