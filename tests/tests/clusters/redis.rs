//! redis with sentinels: the failover, and the known weakness that it has.

use snowglobe::fault::Fault;
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe_tests::daemons::sentinels::{master, three_redis};

/// Time for which a sentinel is waited for: one that runs answers at once.
const ANSWER: Duration = Duration::from_secs(5);

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

/// Redis answers a write before its replicas have it: a master that is cut off acknowledges what
/// the failover throws away.
#[snowglobe::test(fixtures("redis"), timeout = "120s")]
fn a_failover_elects_another_master_and_loses_what_the_old_one_acknowledged() -> TestResult {
    let cluster = three_redis()?;
    cluster.set_patience(Duration::from_secs(40));
    let old = cluster.member(0);
    assert_eq!(master(cluster.member(1), ANSWER)?, old.ip());
    assert_eq!(cli(old, &["set", "before", "1"])?, "OK");
    cluster.wait_until(|| match cli(cluster.member(1), &["get", "before"]) {
        Ok(value) if value == "1" => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    let split = cluster.inject(Fault::partition(["r0"], ["r1", "r2"]))?;
    assert_eq!(cli(old, &["set", "lost", "1"])?, "OK");
    let address = cluster.wait_until(|| match master(cluster.member(1), ANSWER) {
        Ok(address) if address != old.ip() => Ok(address),
        other => Err(format!("{other:?}")),
    })?;
    let new = cluster.members().find(|node| node.ip() == address);
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
