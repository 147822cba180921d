//! A program is ready when its port, its socket or its own word says so.

use std::net::UdpSocket;
use std::os::unix::net::{UnixDatagram, UnixListener};

use snowglobe::lab::{Node, Process};
use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;

/// Starts a program that does nothing.
fn idle(node: &Node) -> TestResult<Process> {
    Ok(node.command("sleep").arg("1000").spawn()?)
}

#[snowglobe::test]
fn a_udp_port_is_waited_for() -> TestResult {
    let lab = shape::pair().start()?;
    let (a, b) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let program = idle(b)?;
    lab.set_patience(Duration::from_millis(20));
    // A TCP listener and a connected socket are not what is waited for.
    let _tcp = b.run(|| TcpListener::bind("0.0.0.0:53"))?;
    let connected = b.run(|| UdpSocket::bind("0.0.0.0:54"))?;
    connected.connect((a.ip(), 9))?;
    for error in [
        b.wait_for_udp_port(53).unwrap_err(),
        program.wait_for_udp_port(53).unwrap_err(),
        program.wait_for_udp_port(54).unwrap_err(),
    ] {
        assert!(error.is_timeout());
        let error = error.to_string();
        assert!(error.contains("a server on UDP port 5"), "{error}");
        assert!(error.contains("no server at all"), "{error}");
    }
    lab.set_patience(Duration::from_secs(20));
    let _udp = b.run(|| UdpSocket::bind("[::]:53"))?;
    b.wait_for_udp_port(53)?;
    program.wait_for_udp_port(53)?;
    assert!(
        a.command("sh")
            .args(["-c", "exit 3"])
            .spawn()?
            .wait_for_udp_port(1)
            .is_err()
    );
    Ok(())
}

#[snowglobe::test]
fn a_unix_socket_is_waited_for_and_a_left_file_is_none() -> TestResult {
    let lab = shape::pair().start()?;
    let (a, b) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let (path, link) = ("/tmp/server.sock", "/tmp/link.sock");
    let program = idle(b)?;
    let waits = |path: &str| [program.wait_for_socket(path), b.wait_for_socket(path)];
    lab.set_patience(Duration::from_millis(20));
    // A server that is dead has left its file, and another node has the same path.
    let other = a.run(|| UnixListener::bind(path))?;
    drop(b.run(|| UnixListener::bind(path))?);
    b.run(|| std::fs::write("/tmp/file", ""))?;
    for path in [path, "/tmp/file", "/no/such/path", "@abstract"] {
        for error in waits(path).map(Result::unwrap_err) {
            assert!(error.is_timeout());
            let error = error.to_string();
            assert!(
                error.contains(&format!("a server at Unix socket `{path}`")),
                "{error}"
            );
        }
    }
    lab.set_patience(Duration::from_secs(20));
    b.run(|| std::fs::remove_file(path))?;
    let listener = b.run(|| UnixListener::bind(path))?;
    b.run(|| std::os::unix::fs::symlink(path, link))?;
    let _datagrams = b.run(|| UnixDatagram::bind("/tmp/datagrams.sock"))?;
    let script = "cd /tmp; exec sleep 1000";
    let _elsewhere = b.command("sh").args(["-c", script]).spawn()?;
    for path in [path, link, "/tmp/datagrams.sock"] {
        for ready in waits(path) {
            ready?;
        }
    }
    // Nothing was sent to the server.
    listener.set_nonblocking(true)?;
    assert!(listener.accept().is_err());
    drop(other);
    let address = {
        use std::os::linux::net::SocketAddrExt;
        std::os::unix::net::SocketAddr::from_abstract_name("abstract")?
    };
    let _abstract = b.run(|| UnixListener::bind_addr(&address))?;
    for ready in waits("@abstract") {
        ready?;
    }
    Ok(())
}

/// Starts a program that tells the path of its socket, and returns the path.
fn notifier(node: &Node) -> TestResult<(Process, String)> {
    let script = "echo \"socket: $NOTIFY_SOCKET\"; exec sleep 1000";
    let program = node.command("sh").args(["-c", script]).notify().spawn()?;
    let line = program.wait_for_log("socket: ")?.text;
    let path = line.trim_start_matches("socket: ").to_owned();
    Ok((program, path))
}

fn tell(node: &Node, path: &str, message: &str) -> std::io::Result<usize> {
    node.run(|| UnixDatagram::unbound()?.send_to(message.as_bytes(), path))
}

#[snowglobe::test]
fn a_program_says_by_itself_that_it_is_ready() -> TestResult {
    let mut topology = Topology::new();
    let node = topology.node("host");
    let pod = topology.pod("pod");
    let container = topology.container(pod, "container");
    let lab = topology.start()?;
    for node in [&lab[node], &lab[container]] {
        let (program, path) = notifier(node)?;
        lab.set_patience(Duration::from_millis(20));
        tell(node, &path, "STATUS=reading the tea leaves\nMAINPID=1\n")?;
        let error = program.wait_for_notify().unwrap_err();
        assert!(error.is_timeout());
        let error = error.to_string();
        assert!(
            error.contains("its last status: \"reading the tea leaves\""),
            "{error}"
        );
        lab.set_patience(Duration::from_secs(20));
        // More than the socket takes before it makes its sender wait.
        for number in 0..1000 {
            tell(node, &path, &format!("STATUS={number}"))?;
        }
        let (other, other_path) = notifier(node)?;
        tell(node, &path, "STATUS=open\nREADY=1")?;
        program.wait_for_notify()?;
        program.wait_for_notify()?;
        // Each program has a socket of its own.
        tell(node, &other_path, "READY=1\n")?;
        other.wait_for_notify()?;
    }
    Ok(())
}

#[snowglobe::test]
fn a_program_that_cannot_become_ready_is_an_error_at_once() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let failing = ["-c", "echo no disk >&2; exit 3"];
    let program = a.command("sh").args(failing).notify().spawn()?;
    let error = program.wait_for_notify().unwrap_err().to_string();
    assert!(
        error.contains("exited with code 3 before it was ready"),
        "{error}"
    );
    assert!(error.contains("no disk"), "{error}");
    let error = idle(a)?.wait_for_notify().unwrap_err().to_string();
    assert!(
        error.contains("start it with `Command::notify()`"),
        "{error}"
    );
    Ok(())
}

#[snowglobe::test(fixtures("redis", "dnsmasq"))]
fn commands_of_a_topology_are_ready_by_any_of_these() -> TestResult {
    let mut topology = Topology::new();
    let redis = StartCommand::new("redis-server")
        .args([
            "--port",
            "0",
            "--save",
            "",
            "--unixsocket",
            "/tmp/redis.sock",
        ])
        .ready_socket("/tmp/redis.sock");
    let store = NodeSpec::new("store").rootfs(&Fixture::find("redis")?);
    let store = topology.node(store.command(redis));
    let dnsmasq = StartCommand::new("dnsmasq")
        .args(["--no-daemon", "--user=root", "--no-resolv", "--no-hosts"])
        .ready_udp_port(53)
        .ready_log("started");
    let names = NodeSpec::new("names").rootfs(&Fixture::find("dnsmasq")?);
    let names = topology.node(names.command(dnsmasq));
    let lab = topology.start()?;
    use std::os::unix::net::UnixStream;
    lab[store].run(|| UnixStream::connect("/tmp/redis.sock"))?;
    assert!(lab[names].run(|| UdpSocket::bind("0.0.0.0:53")).is_err());
    let mut never = Topology::new();
    never.node(NodeSpec::new("never").command(StartCommand::new("false").ready_notify()));
    let error = never.start().map(drop).unwrap_err().to_string();
    assert!(error.contains("before it was ready"), "{error}");
    Ok(())
}
