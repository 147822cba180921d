//! Labs of a test body that is an ordinary user: the body owns its nodes, and nothing else.

use std::fs;

use nix::unistd::geteuid;
use snowglobe::prelude::*;

#[snowglobe::test(user = 1234)]
fn an_ordinary_user_has_labs() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (node(&lab, "alice")?, node(&lab, "bob")?);
    let listener = bob.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let mut client = alice.run(|| TcpStream::connect("bob:80"))?;
    client.write_all(b"hi")?;
    let (mut accepted, peer) = listener.accept()?;
    let mut heard = [0; 2];
    accepted.read_exact(&mut heard)?;
    assert_eq!((&heard, peer.ip()), (b"hi", alice.ip()));
    // The body is what it was.
    assert_eq!(geteuid().as_raw(), 1234);
    assert_eq!(
        capabilities("/proc/thread-self/status")?,
        "0000000000000000"
    );
    assert!(TcpListener::bind("0.0.0.0:80").is_err());
    Ok(())
}

/// Code of the test is the user in the node as well: it may administer the network of the node,
/// and open no file that is closed to the user.
#[snowglobe::test(user = 1234)]
fn code_in_a_node_is_the_user_who_owns_the_network() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = node(&lab, "alice")?;
    alice.run(|| -> TestResult {
        assert_eq!(geteuid().as_raw(), 1234);
        assert_eq!(
            capabilities("/proc/thread-self/status")?,
            "0000000000000000"
        );
        fs::write("/tmp/closed", "x")?;
        fs::set_permissions(
            "/tmp/closed",
            std::os::unix::fs::PermissionsExt::from_mode(0o000),
        )?;
        let error = fs::read("/tmp/closed").expect_err("closed to its owner");
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        TcpListener::bind("0.0.0.0:443")?;
        assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_forward")?, "0\n");
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        // The process of the test, on which the node's network is shown.
        let own = fs::read_link("/proc/self")?;
        assert_eq!(own.to_str(), Some(&*std::process::id().to_string()));
        assert!(fs::read_to_string("/proc/self/net/dev")?.contains("eth0"));
        Ok(())
    })?;
    let id = alice.run(|| std::process::Command::new("id").arg("-u").output())?;
    assert_eq!(id.stdout, b"1234\n");
    Ok(())
}

/// Programs of nodes are root there, as in other labs.
#[snowglobe::test(user = 1234)]
fn programs_in_nodes_are_root() -> TestResult {
    let lab = shape::pair().start()?;
    let bob = node(&lab, "bob")?;
    let script = "id -u; hostname; mount -t tmpfs none /mnt && echo mounted; ps -e | wc -l > /dev/null; kill -0 1 && echo killed";
    let output = bob.command("sh").args(["-c", script]).output()?;
    assert_eq!(
        output.stdout_str(),
        "0\nbob\nmounted\nkilled\n",
        "{output:?}"
    );
    let mut sleep = bob.command("sleep").arg("1000").spawn()?;
    sleep.kill()?;
    assert!(!sleep.wait()?.success());
    Ok(())
}

#[snowglobe::test(user = 1234)]
async fn futures_run_in_nodes_of_an_ordinary_user() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (node(&lab, "alice")?, node(&lab, "bob")?);
    let server = bob.spawn(async {
        let listener = tokio::net::TcpListener::bind("0.0.0.0:80").await?;
        listener.accept().await.map(|(_, peer)| peer.ip())
    });
    bob.wait_for_port_async(80).await?;
    let caps = alice.spawn(async { capabilities("/proc/thread-self/status") });
    assert_eq!(caps.await??, "0000000000000000");
    let client = alice.spawn(tokio::net::TcpStream::connect("bob:80"));
    let _client = client.await??;
    assert_eq!(server.await??, alice.ip());
    Ok(())
}

/// All that labs do beside: a switch, an impairment, faults, captures, a crash, changes, a pod.
#[snowglobe::test(user = 1234)]
fn labs_of_an_ordinary_user_do_what_others_do() -> TestResult {
    let mut topology = Topology::new();
    let switch = topology.switch("lan");
    let (a, b) = (topology.node("a"), topology.node("b"));
    let wifi = topology.link(a, switch);
    topology.link(b, switch);
    let pod = topology.pod("web");
    let app = topology.container(pod, "app");
    topology.container(pod, "side");
    topology.link(pod, switch);
    let mut lab = topology.start()?;
    let capture = lab.capture_all()?;
    let delay = Duration::from_millis(30);
    lab[wifi].impair(Impairment::delayed(delay))?;
    let server = lab[b].run(|| UdpSocket::bind("0.0.0.0:5000"))?;
    let client = lab[a].run(|| UdpSocket::bind("0.0.0.0:0"))?;
    let begin = std::time::Instant::now();
    client.send_to(b"x", (lab[b].ip(), 5000))?;
    let mut buffer = [0; 8];
    server.recv_from(&mut buffer)?;
    // A wire may deliver 0.1 ms too early.
    assert!(begin.elapsed() >= delay - Duration::from_millis(1));
    drop(capture);
    lab[b].crash()?;
    assert!(!lab[b].is_running());
    lab[b].restart()?;
    lab[b].run(|| TcpListener::bind("0.0.0.0:80"))?;
    let inside = lab[app]
        .command("sh")
        .args(["-c", "hostname; id -u"])
        .output()?;
    assert_eq!(inside.stdout_str(), "web\n0\n");
    let late = lab.grow(|topology| {
        let late = topology.node("late");
        topology.link(late, switch);
        late
    })?;
    let b_ip = lab[b].ip();
    lab[late].run(|| UdpSocket::bind("0.0.0.0:0")?.send_to(b"x", (b_ip, 5000)))?;
    Ok(())
}

/// Sixteen labs after each other, and code on many threads: nothing of the first is in the way.
#[snowglobe::test(user = "nobody")]
fn labs_come_and_go() -> TestResult {
    for _ in 0..16 {
        let lab = shape::star(4).start()?;
        let nodes: Vec<_> = lab.nodes().collect();
        std::thread::scope(|scope| {
            for node in &nodes {
                scope.spawn(|| {
                    for _ in 0..8 {
                        node.run(|| TcpListener::bind("0.0.0.0:80")).unwrap();
                    }
                });
            }
        });
    }
    Ok(())
}

#[snowglobe::test(user = 1234)]
fn another_user_in_a_node_needs_the_option_nested() -> TestResult {
    let lab = shape::pair().start()?;
    let other = node(&lab, "bob")?.command("id").user(33, 44).output();
    let error = other.expect_err("no namespace is permitted").to_string();
    for part in ["uid 33 or gid 44", "option `nested`"] {
        assert!(error.contains(part), "{error}");
    }
    let mut topology = Topology::new();
    let users = snowglobe::topology::Users::One;
    topology.node(NodeSpec::new("one").users(users));
    let error = topology.start().expect_err("nor a node").to_string();
    for part in ["one", "option `nested`", "Users::Trial"] {
        assert!(error.contains(part), "{error}");
    }
    // The test itself makes none either, with a lab or without.
    let unshare = std::process::Command::new("unshare")
        .args(["-U", "true"])
        .output()?;
    assert!(!unshare.status.success());
    Ok(())
}

#[snowglobe::test(user = 1234, nested)]
fn with_nested_programs_in_nodes_are_any_user() -> TestResult {
    let lab = shape::pair().start()?;
    let id = node(&lab, "bob")?
        .command("id")
        .arg("-u")
        .user(33, 44)
        .output()?;
    assert_eq!(id.stdout_str(), "33\n");
    Ok(())
}

#[snowglobe::test(user = 1234, isolation(!user))]
fn labs_in_shared_user_namespaces() -> TestResult {
    let lab = shape::pair().start()?;
    node(&lab, "bob")?.run(|| TcpListener::bind("0.0.0.0:80"))?;
    Ok(())
}

#[snowglobe::test(user = 1234, isolation(!pid))]
fn labs_among_other_processes() -> TestResult {
    let lab = shape::pair().start()?;
    node(&lab, "bob")?.run(|| TcpListener::bind("0.0.0.0:80"))?;
    Ok(())
}

/// A lab that the test forgets is no process that outlives the test.
#[snowglobe::test(user = 1234)]
fn a_lab_that_is_forgotten_is_ended() -> TestResult {
    std::mem::forget(shape::pair().start()?);
    Ok(())
}

fn node<'a>(lab: &'a Lab, name: &str) -> TestResult<&'a snowglobe::lab::Node> {
    Ok(lab.node(name).ok_or("no such node")?)
}

fn capabilities(status: &str) -> std::io::Result<String> {
    let status = fs::read_to_string(status)?;
    let line = |line: &str| {
        line.strip_prefix("CapPrm:")
            .map(|sets| sets.trim().to_owned())
    };
    Ok(status.lines().find_map(line).unwrap_or_default())
}
