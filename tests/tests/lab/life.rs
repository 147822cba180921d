//! A node can be paused, crashed and restarted.

use std::io::BufRead;

use snowglobe::lab::Stdio;
use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;

#[snowglobe::test]
fn a_paused_node_does_nothing_until_it_is_resumed() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let mut ticker = alice
        .command("sh")
        .args(["-c", "while read x; do echo $x; done"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = ticker.stdin.take().ok_or("stdin")?;
    let mut stdout = std::io::BufReader::new(ticker.stdout.take().ok_or("stdout")?);
    let state = || -> TestResult<String> {
        let seen = lab.inspect(alice.id())?;
        Ok(seen
            .processes
            .iter()
            .find(|process| process.comm == "sh")
            .ok_or("sh")?
            .state
            .clone())
    };
    let mut line = String::new();
    stdin.write_all(b"one\n")?;
    stdout.read_line(&mut line)?;
    alice.pause()?;
    lab.wait_until(|| state().map(|state| state == "stopped").unwrap_or(false))?;
    stdin.write_all(b"two\n")?;
    assert_eq!(state()?, "stopped");
    alice.resume()?;
    stdout.read_line(&mut line)?;
    assert_eq!(line, "one\ntwo\n");
    drop(stdin);
    assert!(ticker.wait()?.success());
    Ok(())
}

#[snowglobe::test]
fn a_crash_kills_everything_at_once_and_a_restart_brings_it_back() -> TestResult {
    let mut topology = Topology::new();
    let serve =
        StartCommand::new("sh").args(["-c", "echo started >> /run/disk/log; exec sleep 1000"]);
    let a = topology.node(
        NodeSpec::new("a")
            .command(serve)
            .volume("/run/disk", Volume::named("disk")),
    );
    let b = topology.node("b");
    topology.link(a, b);
    let lab = topology.start()?;
    let mut daemon = lab[a]
        .command("sh")
        .args([
            "-c",
            "trap '' TERM; setsid sleep 1000 & setsid sleep 1000 & wait",
        ])
        .spawn()?;
    let log = lab.volume("disk")?.join("log");
    lab.wait_until(|| std::fs::read_to_string(&log).is_ok_and(|log| log == "started\n"))?;
    let ip = lab[a].ip();
    lab[a].crash()?;
    assert!(!lab[a].is_running());
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&daemon.wait()?),
        Some(9)
    );
    let error = lab[a].command("true").status().unwrap_err().to_string();
    assert!(
        error.contains("`a`: the node has crashed; restart it first"),
        "{error}"
    );
    assert!(lab[a].try_run(|| ()).is_err());

    lab[a].restart()?;
    lab.wait_until(|| std::fs::read_to_string(&log).is_ok_and(|log| log == "started\nstarted\n"))?;
    assert_eq!(lab[a].ip(), ip);
    let listener = lab[a].run(|| TcpListener::bind("[::]:80"))?;
    for ip in [ip, lab[a].ipv6().ok_or("ipv6")?.into()] {
        lab[b].run(|| TcpStream::connect((ip, 80)))?;
        listener.accept()?;
    }
    let seen = lab.inspect(a)?;
    // These are the first process and the command.
    assert_eq!(seen.processes.len(), 2, "{:?}", seen.processes);
    Ok(())
}

#[snowglobe::test]
fn programs_are_asked_to_end_when_the_lab_is_dropped() -> TestResult {
    let mut topology = Topology::new();
    let a = topology.node("a");
    let dir = snowglobe_tests::shared_dir();
    let lab = topology.start()?;
    let polite = format!(
        "trap 'echo bye > {}/bye; exit 0' TERM; echo ready; sleep 1000 & wait",
        dir.path().display()
    );
    let process = lab[a].command("sh").args(["-c", &polite]).spawn()?;
    process.wait_for_log("ready")?;
    drop(lab);
    assert_eq!(std::fs::read_to_string(dir.path().join("bye"))?, "bye\n");
    Ok(())
}

#[snowglobe::test]
fn futures_run_in_nodes() -> TestResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let (ready, bound) = tokio::sync::oneshot::channel();
    let server = bob.spawn(async move {
        let listener = tokio::net::TcpListener::bind("0.0.0.0:80").await?;
        let _ = ready.send(());
        listener.accept().await.map(|(_, peer)| peer.ip())
    });
    let client = alice.spawn(async move {
        let _ = bound.await;
        tokio::net::TcpStream::connect("bob:80").await.map(drop)
    });
    runtime.block_on(client)??;
    assert_eq!(runtime.block_on(server)??, alice.ip());
    Ok(())
}

#[snowglobe::test]
fn threads_meet_at_a_barrier_across_nodes() -> TestResult {
    let lab = shape::star(4).start()?;
    let barrier = lab.barrier(4);
    let meet = |node: &snowglobe::lab::Node| node.run(|| barrier.wait(node.name()));
    let last: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = lab.nodes().map(|node| scope.spawn(|| meet(node))).collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .map(|met| usize::from(met.unwrap_or(false)))
                    .unwrap_or(0)
            })
            .sum()
    });
    assert_eq!(last, 1);
    Ok(())
}
