//! A node's users are the trial's, or the node's own.

use snowglobe::prelude::*;
use snowglobe::topology::{StartCommand, Users};
use snowglobe_tests::ids_in;

fn lines(text: &str) -> Vec<Vec<u32>> {
    let line = |line: &str| {
        line.split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    text.lines().map(line).collect()
}

#[snowglobe::test]
fn a_node_has_users_of_its_own_on_request() -> TestResult {
    let mut topology = Topology::new();
    let one = topology.node(NodeSpec::new("one").users(Users::One));
    let shared = topology.node("shared");
    topology.link(one, shared);
    let lab = topology.start()?;
    let map = |node: NodeId| {
        lab[node]
            .command("cat")
            .arg("/proc/self/uid_map")
            .output()
            .map(|output| lines(&output.stdout_str()))
    };
    assert_eq!(map(one)?, [[0, 0, 1]]);
    let users: Vec<_> = lab
        .namespaces()?
        .into_iter()
        .filter(|namespace| namespace.kind == "user")
        .collect();
    assert_eq!(users.len(), 2, "{users:#?}");
    // The node is the root of its own network all the same, and the kernel knows its owner.
    let of_one = users
        .iter()
        .find(|user| user.nodes == ["one"])
        .ok_or("one")?;
    assert_eq!(
        of_one.owner,
        users
            .iter()
            .find(|user| user.nodes == ["shared"])
            .map(|user| user.inode)
    );
    let net = lab
        .namespaces()?
        .into_iter()
        .find(|namespace| namespace.kind == "net" && namespace.nodes == ["one"]);
    assert_eq!(net.ok_or("net")?.owner, Some(of_one.inode));
    let _listener = lab[one].run(|| TcpListener::bind("0.0.0.0:80"))?;
    lab[shared].run(|| TcpStream::connect("one:80"))?;
    Ok(())
}

#[snowglobe::test]
fn more_ids_than_there_are_is_an_error_with_a_way_out() -> TestResult {
    let mut topology = Topology::new();
    let many = topology.node(NodeSpec::new("many").users(Users::Range(65_536)));
    let available = ids_in(&std::fs::read_to_string("/proc/self/uid_map")?);
    match (available, topology.start()) {
        (65_536.., lab) => {
            let lab = lab?;
            let ids = lab[many]
                .command("sh")
                .args(["-c", "id -u; cat /proc/self/uid_map"])
                .user(33, 33)
                .output()?
                .stdout_str();
            assert!(ids.starts_with("33\n"), "{ids}");
            assert_eq!(ids_in(&ids), 65_536, "{ids}");
        }
        (_, Ok(_)) => return Err("65,536 ids were given where there are not so many".into()),
        (_, Err(error)) => {
            assert!(
                error.to_string().contains(
                    "node `many` wants 65536 ids, but the trial has 1; run the tests as root, or give the user a range"
                ),
                "{error}"
            );
        }
    }
    Ok(())
}

/// The network belongs to the node's users, who therefore outlive its processes.
#[snowglobe::test]
fn a_node_with_users_of_its_own_is_restarted() -> TestResult {
    let available = ids_in(&std::fs::read_to_string("/proc/self/uid_map")?);
    let users = match available {
        1 => Users::One,
        more => Users::Range(more / 2),
    };
    let mut topology = Topology::new();
    let spec = NodeSpec::new("own")
        .users(users)
        .volume("/run/disk", Volume::named("disk"))
        .command(StartCommand::new("sh").args(["-c", "id -u >> /run/disk/log; exec sleep 1000"]));
    let (own, other) = (topology.node(spec), topology.node("other"));
    topology.link(own, other);
    let lab = topology.start()?;
    let log = lab.volume("disk")?.join("log");
    let started = |times: usize| {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        if log == "0\n".repeat(times) {
            Ok(())
        } else {
            Err(log)
        }
    };
    let namespace = || -> TestResult<_> {
        let all = lab.namespaces()?;
        let its = |it: &snowglobe::lab::Namespace| it.kind == "user" && it.nodes == ["own"];
        Ok(all.into_iter().find(its).ok_or("a user namespace")?.inode)
    };
    let (first, ip) = (namespace()?, lab[own].ip());
    lab.wait_until(|| started(1))?;
    for time in 2..5 {
        if time > 2 {
            lab[own].crash()?;
        }
        lab[own].restart()?;
        lab.wait_until(|| started(time))?;
        assert_eq!(namespace()?, first);
        let map = lab[own].command("cat").arg("/proc/self/uid_map").output()?;
        assert_eq!(ids_in(&map.stdout_str()), (available / 2).max(1));
        // The node is root of its network and its files, and of no other process than its own.
        let listener = lab[own].run(|| TcpListener::bind("0.0.0.0:80"))?;
        lab[other].run(|| TcpStream::connect((ip, 80)))?;
        listener.accept()?;
        let script = "hostname changed && mount -t tmpfs none /mnt && echo 1 > /proc/sys/net/ipv4/ip_forward && echo $PPID";
        let root = lab[own].command("sh").args(["-c", script]).output()?;
        assert_eq!(root.stdout_str(), "1\n", "{}", root.stderr_str());
    }
    Ok(())
}
