//! Measures what tests of distributed systems cost: each trial prints its figures, one a line, as
//! `name value`.

use std::sync::Arc;
use std::time::Instant;

use snowglobe::Cluster;
use snowglobe::fault::Fault;
use snowglobe::history::models::{Map, On, Register, RegisterOp, RegisterRet};
use snowglobe::history::{ClientId, Completion, History, Operation, OperationId, linearizability};
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;
use snowglobe_tests::daemons;
use snowglobe_tests::http::HttpConnection;

const KEYS: u64 = 100;
const CLIENTS: u64 = 10;
const OPERATIONS: u64 = 100_000;

/// Draws a random number by SplitMix64 (Steele et al., 2014).
fn random(state: &mut u64, limit: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % limit
}

type Call = On<u64, RegisterOp<u64>>;

/// Makes a history that is linearizable, since one register for each key made it. Ten clients call
/// without a pause on each key, and one operation in a hundred has no answer.
fn made() -> History<Call, RegisterRet<u64>> {
    let mut state = 1;
    let mut planned = Vec::new();
    for key in 0..KEYS {
        let mut free = [0; CLIENTS as usize];
        for number in 0..OPERATIONS / KEYS {
            let client = random(&mut state, CLIENTS);
            let invoked = free[client as usize] + random(&mut state, 20);
            let effect = invoked + random(&mut state, 50);
            let end = effect + random(&mut state, 50);
            free[client as usize] = end + 1;
            let call = match random(&mut state, 10) {
                0..5 => RegisterOp::Read,
                5..9 => RegisterOp::Write(number),
                _ => RegisterOp::Cas {
                    from: number.saturating_sub(3),
                    to: number,
                },
            };
            planned.push((effect, key, client, invoked, end, call));
        }
    }
    planned.sort_by_key(|(effect, ..)| *effect);
    let mut registers = [0; KEYS as usize];
    let node: Arc<str> = "node".into();
    let operations = planned.into_iter().enumerate().map(|(number, planned)| {
        let (_, key, client, invoked, end, call) = planned;
        let register = &mut registers[key as usize];
        let ret = match call {
            RegisterOp::Read => RegisterRet::Value(*register),
            RegisterOp::Write(value) => {
                *register = value;
                RegisterRet::Done
            }
            RegisterOp::Cas { from, to } if from == *register => {
                *register = to;
                RegisterRet::Swapped
            }
            RegisterOp::Cas { .. } => RegisterRet::NotSwapped,
        };
        let completion = match random(&mut state, 100) {
            0 => Completion::Unknown("no answer".to_owned()),
            _ => Completion::Ok(ret),
        };
        Operation {
            id: OperationId(number as u64),
            client: ClientId((key * CLIENTS + client) as u32),
            node: Arc::clone(&node),
            invoked: Duration::from_nanos(invoked),
            completed: Some(Duration::from_nanos(end)),
            call: On::new(key, call),
            completion,
        }
    });
    History::new(operations)
}

/// Measures the check of a long history, in milliseconds.
#[snowglobe::test]
fn history() -> TestResult {
    let history = made();
    let begin = Instant::now();
    linearizability(&Map::new(Register::new(0)), &history).into_result()?;
    println!("history {}", begin.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// Measures a partition of five nodes, from the call to its return, in milliseconds. No datagram
/// that is sent afterwards may pass, in either direction.
#[snowglobe::test]
fn partition() -> TestResult {
    const ROUNDS: usize = 51;
    let lab = shape::star(5).start()?;
    let names: Vec<String> = lab.nodes().map(|node| node.name().to_owned()).collect();
    let (left, right) = names.split_at(2);
    let sides = [&left[0], &right[0]].map(|name| lab.node(name));
    let [Some(a), Some(b)] = sides else {
        return Err("a star of five")?;
    };
    let bind = |node: &Node| node.run(|| UdpSocket::bind((node.ip(), 7000)));
    let sockets = [bind(a)?, bind(b)?];
    let to = [(b.ip(), 7000), (a.ip(), 7000)];
    for socket in &sockets {
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    }
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let fault = Fault::partition(left.to_vec(), right.to_vec());
        let begin = Instant::now();
        let parted = lab.inject(fault)?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        for (socket, to) in sockets.iter().zip(to) {
            socket.send_to(&[0, round as u8], to)?;
        }
        parted.heal()?;
        for (socket, to) in sockets.iter().zip(to) {
            socket.send_to(&[1, round as u8], to)?;
        }
        for socket in &sockets {
            let mut heard = [0; 2];
            socket.recv(&mut heard)?;
            assert_eq!(heard, [1, round as u8], "a datagram passed the partition");
        }
    }
    times.sort_by(f64::total_cmp);
    println!("partition {}", times[ROUNDS / 2]);
    Ok(())
}

/// Returns whether the etcd behind a port of a node says that its cluster works.
fn is_healthy(node: &Node, port: u16) -> Result<(), String> {
    let to = (Ipv4Addr::LOCALHOST, port).into();
    let connection = HttpConnection::open(node, to, Duration::from_secs(5));
    let answer = connection.and_then(|mut it| it.get("/health"));
    let (_, body) = answer.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&body);
    match said.contains("\"health\":\"true\"") {
        true => Ok(()),
        false => Err(said.into_owned()),
    }
}

const MEMBERS: usize = 5;

/// Options of both clusters, in milliseconds. Members whose votes are split wait for an election
/// timeout or two more, of a second each by default: as long as all the rest of the start.
const ELECTIONS: [&str; 4] = ["--heartbeat-interval", "20", "--election-timeout", "200"];

/// Measures a cluster of five etcd, each in a node of its own, from nothing to the health of all,
/// in milliseconds.
#[snowglobe::test(fixtures("etcd"), timeout = "120s", threads = 2)]
fn etcd_in_nodes() -> TestResult {
    let fixture = Fixture::find("etcd")?;
    let names: Vec<String> = (0..MEMBERS).map(|n| format!("e{n}")).collect();
    let begin = Instant::now();
    let cluster = Cluster::of(MEMBERS, |n| {
        let arguments = daemons::etcd_member(&names[n], &names);
        NodeSpec::new(&names[n])
            .rootfs(&fixture)
            .command(StartCommand::new("etcd").args(arguments).args(ELECTIONS))
    });
    let _running = cluster.ready(|node| is_healthy(node, 2379)).start()?;
    println!("in_nodes {}", begin.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// Measures the same etcd, all on the loopback interface of one node that is there already.
#[snowglobe::test(fixtures("etcd"), timeout = "120s", threads = 2)]
fn etcd_on_loopback() -> TestResult {
    let mut topology = Topology::new();
    let id = topology.node(NodeSpec::new("all").rootfs(&Fixture::find("etcd")?));
    let lab = topology.start()?;
    lab.set_patience(Duration::from_secs(60));
    let node = &lab[id];
    let port = |n: usize| 2379 + 10 * n as u16;
    let client = |n: usize| format!("http://127.0.0.1:{}", port(n));
    let peer = |n: usize| format!("http://127.0.0.1:{}", port(n) + 1);
    let peers: Vec<String> = (0..MEMBERS).map(|n| format!("e{n}={}", peer(n))).collect();
    let begin = Instant::now();
    let mut running = Vec::new();
    for n in 0..MEMBERS {
        let (name, directory) = (format!("e{n}"), format!("/run/data-{n}"));
        let mut etcd = node.command("etcd");
        etcd.args([
            "--name",
            &name,
            "--data-dir",
            &directory,
            "--listen-client-urls",
            &client(n),
            "--listen-peer-urls",
            &peer(n),
            "--advertise-client-urls",
            &client(n),
            "--initial-advertise-peer-urls",
            &peer(n),
            "--initial-cluster",
            &peers.join(","),
            "--logger",
            "zap",
        ]);
        etcd.args(ELECTIONS);
        running.push(etcd.spawn()?);
    }
    for n in 0..MEMBERS {
        lab.wait_until(|| is_healthy(node, port(n)))?;
    }
    println!("on_loopback {}", begin.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

snowglobe::main!();
