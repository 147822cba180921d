//! redis with sentinels: the failover, and the known weakness that it has.

use snowglobe::Cluster;
use snowglobe::fault::Fault;
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe_tests::daemons::sentinels::redis_with_sentinel;

/// Returns what `redis-cli` prints on a node.
fn cli(node: &Node, arguments: &[&str]) -> Result<String, String> {
    let output = node.command("redis-cli").args(arguments).output();
    let output = output.map_err(|error| error.to_string())?;
    let said = output.stdout_str().trim().to_owned();
    match output.status.success() {
        true => Ok(said),
        false => Err(format!("{said}{}", output.stderr_str())),
    }
}

/// Returns the address of the master, as a sentinel knows it.
fn master(node: &Node) -> Result<String, String> {
    let told = cli(
        node,
        &[
            "-p",
            "26379",
            "sentinel",
            "get-master-addr-by-name",
            "store",
        ],
    )?;
    let address = told.lines().next().unwrap_or_default();
    match address.parse::<IpAddr>() {
        Ok(_) => Ok(address.to_owned()),
        Err(_) => Err(told),
    }
}

/// Redis answers a write before its replicas have it: a master that is cut off acknowledges what
/// the failover throws away.
#[snowglobe::test(fixtures("redis"), timeout = "120s")]
fn a_failover_elects_another_master_and_loses_what_the_old_one_acknowledged() -> TestResult {
    let redis = Fixture::find("redis")?;
    let members: Vec<NodeSpec> = (0..3)
        .map(|n| redis_with_sentinel(n, &redis))
        .collect::<TestResult<_>>()?;
    let cluster = Cluster::of(3, |n| members[n].clone());
    let cluster = cluster
        .ready(
            |node| match cli(node, &["-p", "26379", "info", "sentinel"]) {
                // All know each other: two replicas, and three sentinels with this one.
                Ok(told) if told.contains("slaves=2,sentinels=3") => Ok(()),
                Ok(told) | Err(told) => Err(told),
            },
        )
        .start()?;
    cluster.set_patience(Duration::from_secs(40));
    let old = cluster.member(0);
    assert_eq!(master(cluster.member(1))?, old.ip().to_string());
    assert_eq!(cli(old, &["set", "before", "1"])?, "OK");
    cluster.wait_until(|| match cli(cluster.member(1), &["get", "before"]) {
        Ok(value) if value == "1" => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    let split = cluster.inject(Fault::partition(["r0"], ["r1", "r2"]))?;
    assert_eq!(cli(old, &["set", "lost", "1"])?, "OK");
    let address = cluster.wait_until(|| match master(cluster.member(1)) {
        Ok(address) if address != old.ip().to_string() => Ok(address),
        other => Err(format!("{other:?}")),
    })?;
    let new = cluster
        .members()
        .find(|node| node.ip().to_string() == address);
    let new = new.ok_or("the new master is no member")?;
    cluster.wait_until(|| match cli(new, &["set", "kept", "1"]) {
        Ok(answer) if answer == "OK" => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    split.heal()?;
    cluster.wait_until(|| match cli(old, &["get", "kept"]) {
        Ok(value) if value == "1" => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    for node in [old, new] {
        assert_eq!(cli(node, &["get", "before"])?, "1");
        assert_eq!(cli(node, &["get", "lost"])?, "");
    }
    Ok(())
}
