//! A lab is seen here from outside of it.

use std::collections::BTreeSet;

use snowglobe::prelude::*;

#[snowglobe::test]
fn every_namespace_is_listed_with_its_kind_inode_and_owner() -> TestResult {
    let mut topology = shape::star(2);
    let pod = topology.pod("pod");
    for name in ["app", "sidecar"] {
        topology.container(pod, name);
    }
    let lab = topology.start()?;
    let all = lab.namespaces()?;
    let of = |kind: &str| {
        all.iter()
            .filter(|namespace| namespace.kind == kind)
            .collect::<Vec<_>>()
    };
    // There are two nodes and a pod of two containers, all in the trial's user namespace, and one
    // hub.
    let counts = ["net", "mnt", "uts", "ipc", "pid", "user"].map(|kind| of(kind).len());
    assert_eq!(counts, [4, 4, 3, 3, 4, 1], "{all:#?}");
    let inodes: BTreeSet<_> = all.iter().map(|namespace| namespace.inode).collect();
    assert_eq!(inodes.len(), all.len());
    let user = of("user")[0];
    assert_eq!(user.nodes.len(), 4);
    assert!(
        all.iter()
            .filter(|namespace| namespace.kind != "user")
            .all(|namespace| namespace.owner == Some(user.inode)),
        "{all:#?}"
    );
    let n1 = lab.node("n1").ok_or("n1")?;
    let link = n1.run(|| {
        std::fs::read_link("/proc/thread-self/ns/net")
            .or_else(|_| std::fs::read_link("/proc/1/ns/net"))
    })?;
    let listed = of("net")
        .iter()
        .any(|net| link.to_string_lossy().contains(&net.inode.to_string()) && net.nodes == ["n1"]);
    assert!(listed, "{link:?} in {all:#?}");
    Ok(())
}

#[snowglobe::test]
fn a_node_is_inspected_without_running_anything_in_it() -> TestResult {
    let lab = shape::star(3).start()?;
    let n1 = lab.node("n1").ok_or("n1")?;
    let _listener = n1.run(|| TcpListener::bind("0.0.0.0:4711"))?;
    let mut sleeper = n1.command("sleep").arg("77").spawn()?;
    let seen = lab.inspect(n1.id())?;
    let eth0 = seen.interface("eth0").ok_or("eth0")?;
    assert_eq!(
        (eth0.kind.as_deref(), eth0.mtu, eth0.up, eth0.state.as_str()),
        (Some("veth"), 1500, true, "up")
    );
    assert!(
        seen.addresses
            .iter()
            .any(|address| address.address == n1.ip() && address.interface == eth0.index)
    );
    assert!(
        seen.routes
            .iter()
            .any(|route| route.interface == Some(eth0.index) && route.prefix == 24)
    );
    assert!(serde_json::to_string(&seen.sockets)?.contains("4711"));
    assert!(
        seen.processes
            .iter()
            .any(|process| process.cmdline == ["sleep", "77"])
    );
    assert_eq!(seen.processes[0].pid, 1);
    assert!(seen.mounts.iter().any(|mount| mount.target == "/etc/hosts"));
    assert!(serde_json::to_value(&seen)?.is_object());
    sleeper.kill()?;
    Ok(())
}
