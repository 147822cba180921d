//! Each node has files of its own for names.

use std::fs;
use std::net::ToSocketAddrs;

use snowglobe::prelude::*;

/// Appends a line to a file of a node.
fn append(node: &snowglobe::lab::Node, path: &str, line: &str) -> TestResult {
    node.run(|| -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new().append(true).open(path)?;
        file.write_all(line.as_bytes())
    })?;
    Ok(())
}

#[snowglobe::test]
fn what_a_node_writes_to_its_hosts_file_is_its_own() -> TestResult {
    let mut topology = Topology::new();
    let (a, b) = (topology.node("a"), topology.node("b"));
    let pod = topology.pod("pod");
    let containers = ["one", "two"].map(|name| topology.container(pod, name));
    topology.link(a, b);
    topology.link(a, pod);
    let mut lab = topology.start()?;
    append(&lab[a], "/etc/hosts", "192.0.2.1 example.org\n")?;
    append(&lab[a], "/etc/resolv.conf", "search example.org\n")?;
    append(&lab[containers[0]], "/etc/hosts", "192.0.2.1 example.org\n")?;
    for (node, changed) in [
        (a, true),
        (b, false),
        (containers[0], true),
        (containers[1], false),
    ] {
        let hosts = lab[node].run(|| fs::read_to_string("/etc/hosts"))?;
        assert_eq!(
            hosts.contains("example.org"),
            changed,
            "{}: {hosts}",
            lab[node].name()
        );
        let resolves = lab[node].run(|| ("example.org", 80).to_socket_addrs().is_ok());
        assert_eq!(resolves, changed, "{}", lab[node].name());
    }
    let resolver = |node: NodeId| lab[node].run(|| fs::read_to_string("/etc/resolv.conf"));
    assert!(resolver(a)?.contains("example.org"));
    assert!(!resolver(b)?.contains("example.org"));
    // The line is on the node's disk, and names that come later do not remove it.
    lab[a].restart()?;
    let late = lab.grow(|topology| {
        let late = topology.node("late");
        topology.link(a, late);
        late
    })?;
    for (name, ip) in [
        ("example.org", [192, 0, 2, 1].into()),
        ("late", lab[late].ip()),
    ] {
        let mut found = lab[a].run(|| (name, 80).to_socket_addrs())?;
        assert!(found.any(|it| it.ip() == ip), "{name}");
    }
    lab[b].run(|| ("late", 80).to_socket_addrs())?;
    Ok(())
}

/// Programs that do not use the C library's resolver read the same files.
#[snowglobe::test(fixtures("busybox"))]
fn static_programs_find_names_in_their_nodes_own_file() -> TestResult {
    let busybox = Fixture::find("busybox")?.command("busybox")?;
    let mut topology = Topology::new();
    let (a, b) = (topology.node("a"), topology.node("b"));
    topology.link(a, b);
    let lab = topology.start()?;
    append(&lab[b], "/etc/hosts", "192.0.2.1 a\n")?;
    let server = lab[a].run(|| TcpListener::bind("[::]:80"))?;
    let ask = |node: &snowglobe::lab::Node, line: &[&str]| {
        node.command_like(&busybox).args(line).output()
    };
    let greeting = std::thread::spawn(move || -> std::io::Result<()> {
        for _ in 0..2 {
            let (mut client, _) = server.accept()?;
            client.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello")?;
        }
        Ok(())
    });
    for name in ["a", "a.lab"] {
        let got = ask(
            &lab[b],
            &["wget", "-q", "-O", "-", &format!("http://{name}/")],
        )?;
        assert_eq!(got.stdout_str(), "hello", "{name}: {}", got.stderr_str());
    }
    greeting.join().map_err(|_| "the server panicked")??;
    // Only this node has the line.
    let hosts = ask(&lab[a], &["cat", "/etc/hosts"])?.stdout_str();
    assert!(!hosts.contains("192.0.2.1"), "{hosts}");
    assert_eq!(ask(&lab[a], &["hostname"])?.stdout_str(), "a\n");
    Ok(())
}
