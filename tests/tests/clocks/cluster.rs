//! A program of Go, which reads the clock without libc: etcd, whose leases must not end early.

use snowglobe::Lab;
use snowglobe::fault::{ClockFault, Fault, TimeShift};
use snowglobe::lab::Process;
use snowglobe::prelude::*;
use snowglobe::topology::NodeId;
use snowglobe_tests::daemons::{etcd_member, etcdctl, etcdctl_in_time};

use crate::reader::seconds;

/// Time for three etcds to elect one of them.
const PATIENCE: Duration = Duration::from_secs(40);

/// Returns what `etcdctl` prints on a node about the cluster, once the command succeeds.
fn ask(lab: &Lab, node: NodeId, words: &str) -> TestResult<String> {
    let all = "http://one:2379,http://two:2379,http://three:2379";
    let arguments: Vec<&str> = ["--endpoints", all]
        .into_iter()
        .chain(words.split(' '))
        .collect();
    etcdctl_in_time(lab, &lab[node], &arguments)
}

#[snowglobe::test(fixtures("etcd"), timeout = "120s")]
fn leases_of_etcd_survive_a_clock_that_jumps_on_the_leader() -> TestResult {
    let fixture = Fixture::find("etcd")?;
    let mut topology = Topology::new();
    let lan = topology.switch("lan");
    let names = ["one", "two", "three"];
    let members = names.map(|name| {
        let node = NodeSpec::new(name).rootfs(&fixture).faulty_clock();
        topology.node(node.volume("/run/data", Volume::named(name)))
    });
    let client = topology.node(NodeSpec::new("client").rootfs(&fixture));
    for node in members.into_iter().chain([client]) {
        topology.plug(node, lan);
    }
    let lab = topology.start()?;
    lab.set_patience(PATIENCE);
    let mut running = Vec::new();
    for (node, name) in members.into_iter().zip(names) {
        let arguments = etcd_member(name, &names);
        running.push(lab[node].command("etcd").args(arguments).spawn()?);
    }
    // Granted for longer than the test may take.
    let granted = ask(&lab, client, "lease grant 600")?;
    let lease = granted.split(' ').nth(1).ok_or("no lease")?.to_owned();
    ask(&lab, client, &format!("put colour blue --lease={lease}"))?;
    let status = ask(&lab, client, "endpoint status")?;
    let leader = names
        .into_iter()
        .find(|name| {
            let is_it = |line: &&str| line.contains(&format!("http://{name}:"));
            status
                .lines()
                .find(is_it)
                .is_some_and(|it| it.contains("true"))
        })
        .ok_or_else(|| format!("no leader in {status}"))?;
    let place = names.iter().position(|name| *name == leader);
    let etcd = &running[place.ok_or("no leader")?];
    for (text, expected) in [("2h", 7200.0), ("-2h", -7200.0)] {
        let jump = ClockFault::Jump(TimeShift::parse(text).ok_or("no time")?);
        let fault = lab.inject(Fault::clock(leader, jump))?;
        // The fault reaches etcd: what it logs now has another time.
        let logged = ahead(logged_time(&lab, client, etcd, leader)?);
        assert!(
            (logged - expected).abs() < 60.0,
            "{logged} s ahead after {text}"
        );
        // etcd counts leases by the monotonic clock: the lease has not ended, and is not longer.
        let left = ask(&lab, client, &format!("lease timetolive {lease}"))?;
        let left: u64 = left
            .split_once("remaining(")
            .and_then(|(_, rest)| rest.split_once('s'))
            .ok_or_else(|| format!("no lease: {left}"))?
            .0
            .parse()?;
        assert!((400..=600).contains(&left), "{left} s left after {text}");
        assert_eq!(ask(&lab, client, "get colour")?, "colour\nblue\n");
        fault.heal()?;
        let logged = ahead(logged_time(&lab, client, etcd, leader)?);
        assert!(logged.abs() < 60.0, "{logged} s ahead after the heal");
    }
    Ok(())
}

/// Returns the time of day, in seconds, of a line that etcd logs now, on request.
fn logged_time(lab: &Lab, client: NodeId, etcd: &Process, name: &str) -> TestResult<f64> {
    let logged = || {
        let lines = etcd.log().into_iter();
        let lines = lines.filter(|line| line.text.contains("defragmented"));
        lines.map(|line| line.text).collect::<Vec<_>>()
    };
    let before = logged().len();
    let member = format!("http://{name}:2379");
    etcdctl(&lab[client], &["--endpoints", &member, "defrag"])?;
    let line = lab.wait_until(|| {
        let mut lines = logged();
        if lines.len() > before {
            Ok(lines.pop().unwrap_or_default())
        } else {
            Err("no new line".to_owned())
        }
    })?;
    // A line has a time such as `"ts":"2026-11-29T19:30:28.359Z"`.
    let time = line.split("\"ts\":\"").nth(1).ok_or("no time")?;
    let number = |range: std::ops::Range<usize>| -> TestResult<f64> {
        Ok(time.get(range).ok_or("no time")?.parse()?)
    };
    Ok(number(11..13)? * 3600.0 + number(14..16)? * 60.0 + number(17..19)?)
}

/// Returns by how much a time of day differs from that of the test, in seconds.
fn ahead(time: f64) -> f64 {
    const DAY: f64 = 86_400.0;
    let difference = (time - seconds() % DAY).rem_euclid(DAY);
    if difference > DAY / 2.0 {
        difference - DAY
    } else {
        difference
    }
}
