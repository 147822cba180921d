//! Five etcd, and a client that asks the member of one node, over one connection.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use snowglobe::history::Completion;
use snowglobe::lab::{LabView, Node};
use snowglobe::topology::{NodeId, NodeSpec, StartCommand, Volume};
use snowglobe::{Cluster, Fixture, TestResult};

use crate::daemons::etcd_member;
use crate::http::HttpConnection;

/// The place at which the member of a node serves clients, in JSON over HTTP as well.
const MEMBER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2379);

/// Time for which a look for the leader waits for a member, which may be paused.
const LOOK: Duration = Duration::from_millis(300);

/// Returns a command that serves as one of these members. Leaders tell that they live after so many
/// milliseconds each time, and ten times as long without that is an election timeout.
pub fn etcd_command(name: &str, names: &[impl AsRef<str>], heartbeat: u32) -> StartCommand {
    StartCommand::new("etcd")
        .args(etcd_member(name, names))
        .args(["--log-level", "error"])
        .args(["--heartbeat-interval", &heartbeat.to_string()])
        .args(["--election-timeout", &(10 * heartbeat).to_string()])
        .ready_port(MEMBER.port())
}

/// Returns a cluster of five members, `e1` to `e5`, with so many milliseconds between heartbeats.
pub fn five_etcd(heartbeat: u32) -> TestResult<Cluster> {
    let fixture = Fixture::find("etcd")?;
    let names: Vec<String> = (1..=5).map(|n| format!("e{n}")).collect();
    let cluster = Cluster::of(5, |n| {
        NodeSpec::new(&names[n])
            .rootfs(&fixture)
            .volume("/run/data", Volume::named(&names[n]))
            .command(etcd_command(&names[n], &names, heartbeat))
    });
    Ok(cluster.leader(leader))
}

fn leader(view: &LabView) -> Option<NodeId> {
    let mut members = view.nodes().filter(|node| node.is_running());
    members.find(|node| leads(node)).map(Node::id)
}

/// Returns whether the member of a node takes itself for the leader.
pub fn leads(node: &Node) -> bool {
    EtcdClient::new(node, LOOK).leads()
}

/// A client that lives in the node of the member that it asks.
#[derive(Debug)]
pub struct EtcdClient<'l> {
    node: &'l Node,
    /// Time for which an answer is waited for.
    limit: Duration,
    connection: Option<HttpConnection>,
}

impl<'l> EtcdClient<'l> {
    /// Makes a client, which connects when it is asked for something.
    pub fn new(node: &'l Node, limit: Duration) -> Self {
        Self {
            node,
            limit,
            connection: None,
        }
    }

    /// Reads the number at a key. A read that may be stale is answered by the member alone.
    pub fn get(&mut self, key: &str, may_be_stale: bool) -> Completion<Option<u64>> {
        let question = json!({"key": encoded(key), "serializable": may_be_stale});
        let answer = self.ask("/v3/kv/range", &question);
        answer.map(|answer| number(&answer["kvs"][0]["value"]))
    }

    /// Writes a number to a key.
    pub fn put(&mut self, key: &str, value: u64) -> Completion<()> {
        let question = json!({"key": encoded(key), "value": encoded(&value.to_string())});
        self.ask("/v3/kv/put", &question).map(|_| ())
    }

    /// Writes a number to a key that has another number now, and returns whether it had.
    pub fn swap(&mut self, key: &str, from: u64, to: u64) -> Completion<bool> {
        let [key, from, to] = [key, &from.to_string(), &to.to_string()].map(encoded);
        let question = json!({
            "compare": [{"target": "VALUE", "result": "EQUAL", "key": key, "value": from}],
            "success": [{"requestPut": {"key": key, "value": to}}],
        });
        let answer = self.ask("/v3/kv/txn", &question);
        // What is false is left out of the JSON of protobuf.
        answer.map(|answer| answer["succeeded"].as_bool().unwrap_or(false))
    }

    /// Returns whether the member takes itself for the leader.
    pub fn leads(&mut self) -> bool {
        let status = self.ask("/v3/maintenance/status", &json!({}));
        let status = status.ok();
        status
            .is_some_and(|it| it["leader"].is_string() && it["leader"] == it["header"]["member_id"])
    }

    /// Asks something. What was asked and not answered has an unknown outcome; what could not be
    /// asked has not happened.
    pub fn ask(&mut self, path: &str, question: &Value) -> Completion<Value> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match HttpConnection::open(self.node, MEMBER, self.limit) {
                Ok(connection) => connection,
                Err(error) => return Completion::Failed(error.to_string()),
            },
        };
        match connection.post(path, &question.to_string()) {
            Ok((200, body)) => {
                self.connection = Some(connection);
                match serde_json::from_slice(&body) {
                    Ok(answer) => Completion::Ok(answer),
                    Err(error) => Completion::Unknown(error.to_string()),
                }
            }
            Ok((status, body)) => {
                self.connection = Some(connection);
                let body = String::from_utf8_lossy(&body).into_owned();
                Completion::Unknown(format!("status {status}: {body}"))
            }
            Err(error) if is_timeout(&error) => {
                Completion::Unknown(format!("no answer within {:?}", self.limit))
            }
            Err(error) => Completion::Unknown(error.to_string()),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn encoded(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// Returns the number that etcd's JSON has in Base64.
fn number(value: &Value) -> Option<u64> {
    let bytes = BASE64_STANDARD.decode(value.as_str()?).ok()?;
    std::str::from_utf8(&bytes).ok()?.parse().ok()
}
