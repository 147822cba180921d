//! Waits that let other futures run: each test has one thread, on which the server and the wait
//! take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use snowglobe::lab::{LabErrorKind, Stdio, wait_until_async};
use snowglobe::prelude::*;

/// Makes a server of a thread that it shares with the waits: a wait that blocks would wait for
/// ever.
fn listen(node: &snowglobe::lab::Node) -> std::io::Result<TcpListener> {
    node.run(|| TcpListener::bind("0.0.0.0:0"))
}

#[snowglobe::test(timeout = "30s")]
async fn a_port_is_waited_for_while_its_server_starts_on_the_same_thread() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let waited = a.wait_for_port_async(80);
    let served = async {
        // A turn for the wait, which must give the thread back.
        tokio::task::yield_now().await;
        a.run(|| TcpListener::bind("0.0.0.0:80"))
    };
    let (waited, served) = tokio::join!(waited, served);
    waited?;
    let _listener = served?;
    let _socket = a.run(|| UdpSocket::bind("0.0.0.0:53"))?;
    a.wait_for_udp_port_async(53).await?;
    lab.set_patience(Duration::from_millis(50));
    let error = a.wait_for_port_async(81).await.unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::TimedOut);
    assert!(error.to_string().contains("waited 50ms in vain"), "{error}");
    Ok(())
}

#[snowglobe::test(timeout = "30s")]
async fn conditions_are_futures_here_and_in_a_node() -> TestResult {
    let lab = shape::pair().start()?;
    let (a, b) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let tries = AtomicUsize::new(0);
    let seen = lab
        .wait_until_async(|| async {
            match tries.fetch_add(1, Ordering::Relaxed) {
                n if n < 3 => Err(format!("only {n} tries")),
                n => Ok(n),
            }
        })
        .await?;
    assert_eq!(seen, 3);

    let listener = listen(b)?;
    let port = listener.local_addr()?.port();
    let connect = move || tokio::net::TcpStream::connect(("bob", port));
    let connection = a.wait_until_async(connect).await?;
    assert_eq!(connection.peer_addr()?.ip(), b.ip());

    let never = || std::future::pending::<bool>();
    let error = wait_until_async(Duration::from_millis(20), never)
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    lab.set_patience(Duration::from_millis(20));
    let error = a.wait_until_async(|| async { false }).await.unwrap_err();
    assert!(error.to_string().ends_with("last seen: false"), "{error}");
    Ok(())
}

#[snowglobe::test(timeout = "30s")]
async fn programs_are_waited_for_while_other_futures_run() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let mut shell = a
        .command("sh")
        .args(["-c", "read x; echo \"ready $x\"; read x; exit 3"])
        .stdin(Stdio::piped())
        .spawn()?;
    let mut input = shell.stdin.take().ok_or("stdin")?;
    let (line, wrote) = tokio::join!(shell.wait_for_log_async("ready"), async {
        tokio::task::yield_now().await;
        input.write_all(b"now\n")
    });
    wrote?;
    assert_eq!(line?.text, "ready now");
    let error = shell
        .wait_timeout_async(Duration::from_millis(20))
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let (status, ()) = tokio::join!(shell.wait_async(), async { drop(input) });
    assert_eq!(status?.code(), Some(3));

    let long = "x".repeat(100_000);
    let output = a
        .command("sh")
        .args(["-c", "echo $1; echo no >&2", "sh", &long])
        .output_async()
        .await?;
    assert_eq!(output.stdout.len(), long.len() + 1);
    assert_eq!(output.stderr_str(), "no\n");
    assert!(a.command("true").status_async().await?.success());

    let error = a
        .command("sh")
        .args(["-c", "echo last; exit 1"])
        .spawn()?
        .wait_for_log_async("never")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::ProcessEnded);
    assert!(error.to_string().contains("last"), "{error}");
    Ok(())
}

#[snowglobe::test(timeout = "30s")]
async fn packets_events_and_meetings_are_waited_for_while_other_futures_run() -> TestResult {
    let lab = shape::pair().start()?;
    let (a, b) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let listener = listen(b)?;
    let port = listener.local_addr()?.port();
    let link = lab.links().next().ok_or("a link")?;
    let expected = link.expect(tcp().port(port).syn())?;
    let counted = link.rule(tcp().port(port).syn(), Verdict::Pass)?;
    let mut events = lab.events();
    let barrier = lab.barrier(2);
    let waits = async {
        let packet = expected.within_async(Duration::from_secs(10)).await?;
        counted.wait_for_hits_async(1).await?;
        barrier.wait_async("the waits").await?;
        let noted = events.wait_for_async("the note", |event| event.to_string().contains("done"));
        noted.await?;
        Ok::<_, snowglobe::Failed>(packet.destination_port())
    };
    let deeds = async {
        tokio::task::yield_now().await;
        let connection = a.run(move || TcpStream::connect(("bob", port)))?;
        barrier.wait_async("the deeds").await?;
        snowglobe::note("done");
        Ok::<_, snowglobe::Failed>(connection)
    };
    let (seen, done) = tokio::join!(waits, deeds);
    let _connection = done?;
    assert_eq!(seen?, Some(port));
    Ok(())
}

#[snowglobe::test(timeout = "30s")]
async fn a_node_may_have_a_runtime_of_many_threads() -> TestResult {
    const THREADS: usize = 3;
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    a.set_runtime_threads(THREADS)?;
    let meeting = Arc::new(std::sync::Barrier::new(THREADS));
    // On one thread the first would wait for ever for the others.
    let tasks: Vec<_> = (0..THREADS)
        .map(|_| {
            let meeting = Arc::clone(&meeting);
            a.spawn(async move {
                meeting.wait();
                std::fs::read_to_string("/proc/sys/kernel/hostname")
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await??, "alice\n");
    }
    // Only a runtime of many threads permits this.
    let blocked = a.spawn(async { tokio::task::block_in_place(|| 7) });
    assert_eq!(blocked.await?, 7);
    let error = a.set_runtime_threads(1).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::InvalidArgument);
    Ok(())
}

/// The trial, and each node, have a network of their own; a handle speaks in that of its node.
#[snowglobe::test]
async fn a_handle_of_rtnetlink_speaks_in_its_node() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (lab.node("alice").unwrap(), lab.node("bob").unwrap());
    let handle = alice.rtnetlink()?;
    let bridge = rtnetlink::LinkBridge::new("made-by-hand").up().build();
    handle.link().add(bridge).execute().await?;
    let has = |node: &snowglobe::lab::Node| {
        let names = node
            .run(|| std::fs::read_to_string("/proc/net/dev"))
            .unwrap();
        names.contains("made-by-hand")
    };
    assert!(has(alice));
    assert!(!has(bob));
    assert!(!std::fs::read_to_string("/proc/net/dev")?.contains("made-by-hand"));
    Ok(())
}

#[snowglobe::test]
fn a_handle_of_rtnetlink_needs_a_runtime() -> TestResult {
    let lab = shape::pair().start()?;
    let refused = lab.node("alice").unwrap().rtnetlink().map(drop);
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("netlink socket in `alice`"), "{text}");
    assert!(text.contains("runtime"), "{text}");
    Ok(())
}

/// Nobody has to search for the program that was to make the condition hold, and is dead.
#[snowglobe::test(timeout = "30s")]
async fn the_error_of_a_wait_names_programs_that_have_ended_badly() -> TestResult {
    let lab = shape::pair().start()?;
    let (a, b) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let ends = |node: &snowglobe::lab::Node, script: &str| -> TestResult<_> {
        let mut shell = node.command("sh");
        Ok(shell.args(["-c", script]).spawn()?)
    };
    // These are no reason: one has ended well, one was killed by the test, and one still runs.
    let mut killed = ends(a, "sleep 1000")?;
    killed.kill()?;
    let _others = [ends(a, "exit 0")?, ends(a, "sleep 1000")?];
    let mut dead = ends(a, "echo starts; echo dies >&2; exit 3")?;
    let mut dead_too = ends(b, "kill -9 $$")?;
    let mut events = lab.events();
    let mut ended = [false; 2];
    events.wait_for("both ends", |event| {
        let text = event.to_string();
        ended[0] |= text.contains("on `alice` exited with code 3");
        ended[1] |= text.contains("on `bob` was killed by SIGKILL");
        ended == [true; 2]
    })?;
    lab.set_patience(Duration::from_millis(50));
    let of_lab = "\n`alice/sh#4` exited with code 3 before that; its last lines:\nstarts\ndies";
    let of_b = "\n`bob/sh` was killed by SIGKILL (signal 9) before that; it wrote nothing";
    let errors = [
        (lab.wait_until(|| false).unwrap_err(), of_lab, true),
        (
            lab.wait_until_async(|| async { false }).await.unwrap_err(),
            of_lab,
            true,
        ),
        (b.wait_until(|| false).unwrap_err(), of_b, false),
        (
            b.wait_until_async(|| async { false }).await.unwrap_err(),
            of_b,
            false,
        ),
    ];
    for (error, told, both) in errors {
        assert!(error.is_timeout());
        let text = error.to_string();
        let first = "waited 50ms in vain for a condition; last seen: false\n";
        assert!(text.starts_with(first) && text.contains(told), "{text}");
        assert_eq!(
            text.contains("alice/sh#4") && text.contains("bob/sh"),
            both,
            "{text}"
        );
        assert!(
            !text.contains("alice/sh`") && !text.contains("sh#2"),
            "{text}"
        );
    }
    // A test that knows of the ends does not fail by them.
    assert_eq!(dead.wait()?.code(), Some(3));
    dead_too.wait()?;
    Ok(())
}
