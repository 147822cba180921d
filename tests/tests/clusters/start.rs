//! Clusters of small programs: readiness, restarts, upgrades, and what never gets ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use snowglobe::Cluster;
use snowglobe::fault::{Fault, Schedule};
use snowglobe::lab::LabErrorKind;
use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;

use crate::MS;

/// Returns the command of a program that is ready when it hears all others of three: none alone
/// could be waited for.
fn member(n: usize, says: &str) -> StartCommand {
    let others: Vec<String> = (0..3)
        .filter(|it| *it != n)
        .map(|it| format!("m{it}"))
        .collect();
    let script = format!(
        "use IO::Socket::INET; \
         my $s = IO::Socket::INET->new(Listen => 9, LocalPort => 7000, ReuseAddr => 1) or die; \
         for my $o (qw({})) {{ \
           until (IO::Socket::INET->new(\"$o:7000\")) {{ select(undef, undef, undef, 0.01) }} }} \
         $| = 1; print \"{says}\\n\"; sleep 1000",
        others.join(" ")
    );
    StartCommand::new("perl")
        .args(["-e".to_owned(), script])
        .ready_log("together")
}

#[snowglobe::test]
fn members_that_need_each_other_become_ready_and_are_restarted_one_by_one() -> TestResult {
    let cluster = Cluster::of(3, |n| {
        NodeSpec::new(format!("m{n}")).command(member(n, "together"))
    });
    let cluster = cluster.client("client").start()?;
    assert_eq!(cluster.names(), ["m0", "m1", "m2"]);
    assert_eq!(cluster.nodes().count(), 4);
    let before: Vec<_> = cluster.members().map(|node| node.pid()).collect();
    cluster.rolling_restart()?;
    let after: Vec<_> = cluster.members().map(|node| node.pid()).collect();
    assert!(before.iter().all(|pid| !after.contains(pid)));
    let version = |says| NodeSpec::new("m1").command(member(1, says));
    cluster.upgrade(1, version("together in version 2"))?;
    let lines = cluster.member(1).last_lines();
    assert!(lines.contains("together in version 2"), "{lines}");
    assert!(!cluster.member(0).last_lines().contains("version 2"));
    // As an action of a schedule does, which knows nodes and no cluster.
    cluster
        .member(1)
        .set_commands([member(1, "version 3 is together")]);
    // What a node is to run from its next start on does not run yet.
    cluster.wait_ready()?;
    cluster.member(1).restart()?;
    cluster.wait_ready()?;
    cluster.rolling_restart()?;
    let lines = cluster.member(1).last_lines();
    assert!(lines.contains("version 3 is together"), "{lines}");
    Ok(())
}

#[snowglobe::test]
fn a_cluster_that_never_becomes_ready_fails_with_the_last_lines_of_each_member() -> TestResult {
    let cluster = Cluster::of(2, |n| {
        let script = format!("echo member {n} waits; exec sleep 1000");
        let command = StartCommand::new("sh").args(["-c".to_owned(), script]);
        NodeSpec::new(format!("m{n}")).command(command.ready_port(7000))
    });
    let error = cluster.patience(300 * MS).start().unwrap_err();
    assert!(error.is_timeout());
    let text = error.to_string();
    for part in [
        "waited 300ms in vain for the members of the cluster to be ready; last seen: `m0`: `sh`: ",
        "`m0/sh` its last lines:\nmember 0 waits",
        "`m1/sh` its last lines:\nmember 1 waits",
    ] {
        assert!(text.contains(part), "{text}");
    }
    Ok(())
}

#[snowglobe::test]
fn a_cluster_with_a_program_that_ends_fails_at_once() -> TestResult {
    let cluster = Cluster::of(2, |n| {
        let script = format!("echo member {n} starts; [ {n} = 0 ] || exit 3; exec sleep 1000");
        let command = StartCommand::new("sh").args(["-c".to_owned(), script]);
        NodeSpec::new(format!("m{n}")).command(command)
    });
    let cluster = cluster.ready(|node| match node.name() {
        "m0" => Ok(()),
        _ => Err("not there yet"),
    });
    expect_end_of_m1(cluster);
    // What a dead program was to open stays closed.
    let conditions: [fn(StartCommand) -> StartCommand; 5] = [
        |command| command.ready_port(7000),
        |command| command.ready_udp_port(7000),
        |command| command.ready_socket("/run/socket"),
        |command| command.ready_log("serves"),
        StartCommand::ready_notify,
    ];
    for condition in conditions {
        let cluster = Cluster::of(2, |n| {
            let command = match n {
                0 => StartCommand::new("sleep").arg("1000"),
                _ => {
                    condition(StartCommand::new("sh").args(["-c", "echo member 1 starts; exit 3"]))
                }
            };
            NodeSpec::new(format!("m{n}")).command(command)
        });
        expect_end_of_m1(cluster);
    }
    Ok(())
}

/// Starts a cluster whose second member's program ends with code 3.
fn expect_end_of_m1(cluster: Cluster) {
    let error = cluster.start().unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::ProcessEnded, "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with("node `m1` has a program that ended before"),
        "{text}"
    );
    assert!(
        text.contains("`m1/sh` exited with code 3; its last lines:\nmember 1 starts"),
        "{text}"
    );
}

#[snowglobe::test]
fn a_cluster_with_a_member_that_is_down_says_so_with_the_last_lines_of_each() -> TestResult {
    let cluster = Cluster::of(3, |n| {
        let script = format!("echo member {n} starts; exec sleep 1000");
        let command = StartCommand::new("sh").args(["-c".to_owned(), script]);
        NodeSpec::new(format!("m{n}")).command(command.ready_log("starts"))
    });
    let cluster = cluster.start()?;
    // Nobody but the test starts the node again.
    cluster.member(1).crash()?;
    let error = cluster.wait_ready().unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::Crashed);
    let text = error.to_string();
    for part in [
        "node `m1` is down, and is started by `Node::restart` or by the heal of the fault",
        "\n`m0`: `m0/sh` its last lines:\nmember 0 starts",
        "\n`m1`: is down; `m1/sh` was killed by SIGKILL (signal 9); its last lines:\nmember 1 starts",
        "\n`m2`: `m2/sh` its last lines:\nmember 2 starts",
    ] {
        assert!(text.contains(part), "{part}\n\nis not in\n\n{text}");
    }
    cluster.member(1).restart()?;
    cluster.wait_ready()?;
    // Nodes without a program are down too.
    let bare = Cluster::of(2, |n| NodeSpec::new(format!("bare{n}")));
    let bare = bare.ready(|node| match node.is_running() {
        true => Ok(()),
        false => Err("it is away"),
    });
    let bare = bare.patience(300 * MS).start()?;
    bare.member(0).crash()?;
    let text = bare.wait_ready().unwrap_err().to_string();
    assert!(text.starts_with("node `bare0` is down"), "{text}");
    assert!(
        text.contains("\n`bare0`: is down; it ran no program"),
        "{text}"
    );
    Ok(())
}

/// What a program has said before it was killed does not count for the one in its place, and what
/// else a test runs in a member says nothing of the member.
#[snowglobe::test]
fn a_member_is_ready_again_when_its_program_says_so_again() -> TestResult {
    let cluster = Cluster::of(1, |n| {
        let script = "[ ! -e /tmp/second ] || while [ ! -e /tmp/go ]; do sleep 0.01; done; \
                      touch /tmp/second; echo serves; exec sleep 1000";
        let command = StartCommand::new("sh").args(["-c", script]);
        NodeSpec::new(format!("m{n}")).command(command.ready_log("serves"))
    });
    let cluster = cluster.patience(60 * 1000 * MS).start()?;
    let member = cluster.member(0);
    let mut other = member.command("false").spawn()?;
    assert!(!other.wait()?.success());
    // The heal of a schedule's fault comes by itself, and so may this one.
    let kill = cluster.inject(Fault::kill_program("m0", "sh"))?;
    let (told, is_told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| -> TestResult {
        let waiting = scope.spawn(|| {
            let ready = cluster.wait_ready();
            told.send(()).unwrap();
            ready
        });
        let waits = || is_told.recv_timeout(200 * MS).is_err();
        assert!(waits(), "it is dead, and is started again");
        kill.heal()?;
        assert!(waits(), "it cannot be ready");
        // Only now may the second one say that it serves.
        member.run(|| std::fs::write("/tmp/go", ""))?;
        waiting.join().expect("no panic")?;
        Ok(())
    })?;
    assert!(member.last_lines().contains("serves"));
    Ok(())
}

/// A test waits for its cluster while a schedule in the background goes on.
#[snowglobe::test]
fn members_that_the_faults_of_a_schedule_stop_are_waited_for() -> TestResult {
    let cluster = Cluster::of(1, |n| {
        let script = "use IO::Socket::INET; print \"serves\\n\"; \
                      my $s = IO::Socket::INET->new(Listen => 9, LocalPort => 7000, ReuseAddr => 1) \
                      or die; sleep 1000";
        let serve = StartCommand::new("perl").args(["-e", script]);
        NodeSpec::new(format!("m{n}"))
            .command(serve.ready_port(7000))
            .command(StartCommand::new("sleep").arg("1000"))
    });
    let cluster = cluster.patience(60 * 1000 * MS).start()?;
    let mut text = String::new();
    for n in 0..15 {
        let fault = [
            "'crash'",
            "'kill_program'\nprogram = 'perl'",
            "'kill_processes'",
        ][n % 3];
        text += &format!(
            "[[fault]]\nat = '{}ms'\nlasts = '30ms'\nnode = 'm0'\nfault = {fault}\n\n",
            n * 60
        );
    }
    let running = cluster.run_schedule(&Schedule::from_toml(&text)?)?;
    let over = AtomicBool::new(false);
    let waits = std::thread::scope(|scope| -> TestResult<usize> {
        let waiting = scope.spawn(|| {
            let mut waits = 0;
            while !over.load(Ordering::Relaxed) {
                cluster.wait_ready()?;
                waits += 1;
            }
            Ok::<usize, snowglobe::lab::LabError>(waits)
        });
        let healed = running.wait();
        over.store(true, Ordering::Relaxed);
        let waits = waiting.join().expect("no panic")?;
        healed?;
        Ok(waits)
    })?;
    assert!(waits > 0);
    cluster.wait_ready()?;
    // Nobody waits for a command that says nothing of its readiness.
    let kill = cluster.inject(Fault::kill_program("m0", "sleep"))?;
    cluster.wait_ready()?;
    kill.heal()?;
    let crash = cluster.inject(Fault::crash("m0"))?;
    std::thread::scope(|scope| -> TestResult {
        let waiting = scope.spawn(|| cluster.wait_ready());
        crash.heal()?;
        Ok(waiting.join().expect("no panic")?)
    })
}

/// A program that says by itself that it is ready, as to systemd, when it hears the other.
fn notifying(n: usize) -> StartCommand {
    let script = format!(
        "use IO::Socket::INET; use IO::Socket::UNIX; \
         my $s = IO::Socket::INET->new(Listen => 9, LocalPort => 7000, ReuseAddr => 1) or die; \
         until (IO::Socket::INET->new('m{}:7000')) {{ select(undef, undef, undef, 0.01) }} \
         my $n = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{{NOTIFY_SOCKET}}) or die; \
         print $n \"READY=1\"; $n->flush; sleep 1000",
        1 - n
    );
    StartCommand::new("perl")
        .args(["-e".to_owned(), script])
        .ready_notify()
}

#[snowglobe::test]
fn members_that_tell_of_their_readiness_may_need_each_other_for_it() -> TestResult {
    let cluster = Cluster::of(2, |n| NodeSpec::new(format!("m{n}")).command(notifying(n)));
    let cluster = cluster.start()?;
    cluster.rolling_restart()?;
    Ok(())
}

#[snowglobe::test]
fn a_member_that_never_tells_is_named_with_its_last_lines() -> TestResult {
    let cluster = Cluster::of(2, |n| {
        let script = format!("echo member {n} is silent; exec sleep 1000");
        let command = StartCommand::new("sh").args(["-c".to_owned(), script]);
        NodeSpec::new(format!("m{n}")).command(command.ready_notify())
    });
    let error = cluster.patience(300 * MS).start().unwrap_err();
    let text = error.to_string();
    for part in [
        "has not sent READY=1",
        "member 0 is silent",
        "member 1 is silent",
    ] {
        assert!(text.contains(part), "{text}");
    }
    Ok(())
}

/// A first command that prepares something has ended when the member is ready.
#[snowglobe::test]
fn the_log_of_a_command_is_found_behind_one_that_has_ended() -> TestResult {
    let cluster = Cluster::of(2, |n| {
        let serve =
            StartCommand::new("sh").args(["-c", "sleep 0.2; echo serving; exec sleep 1000"]);
        NodeSpec::new(format!("m{n}"))
            .command("true")
            .command(serve.ready_log("serving"))
    });
    let cluster = cluster.start()?;
    cluster.rolling_restart()?;
    Ok(())
}

/// A daemon that refuses to be root, as PostgreSQL does, is a command of a member all the same.
#[snowglobe::test]
fn a_command_runs_as_another_user_after_a_restart_too() -> TestResult {
    // Real ids of the program, and whether root's own files are the program's to write.
    let script = "echo $(id -u):$(id -g) $(echo x 2> /dev/null > /data/mine && echo writes)";
    let tell = StartCommand::new("sh").args(["-c", &format!("{script}; exec sleep 1000")]);
    let tell = tell.ready_log(":");
    let commands = [
        tell.clone().user(1234, 1235),
        tell.clone().root_shown_as(2345, 2346),
        tell,
    ];
    let cluster = Cluster::of(3, |n| {
        let volume = Volume::named(format!("data{n}"));
        let member = NodeSpec::new(format!("m{n}")).volume("/data", volume);
        member.command(commands[n].clone())
    });
    let cluster = cluster.start()?;
    let told = || -> Vec<String> { cluster.members().map(|node| node.last_lines()).collect() };
    // Where one id is mapped, all users are the same one to the kernel, which has root's files.
    let ids = std::fs::read_to_string("/proc/self/uid_map")?;
    let one_id = ids.trim_end().ends_with(" 1");
    let user = if one_id {
        "1234:1235 writes"
    } else {
        "1234:1235"
    };
    let are_right = |told: &[String]| {
        let expected = [user, "2345:2346 writes", "0:0 writes"];
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.ends_with(expected), "{told}");
        }
    };
    are_right(&told());
    for node in cluster.members() {
        node.crash()?;
        node.restart()?;
    }
    cluster.wait_ready()?;
    are_right(&told());
    let text =
        "[[node]]\nname = \"m\"\ncommands = [{ program = \"pg\", user = { uid = 5, gid = 6 } }]";
    let topology = Topology::from_toml(text)?;
    let written = topology.to_toml()?;
    assert!(written.contains("user]\nuid = 5\ngid = 6\n"), "{written}");
    assert_eq!(Topology::from_toml(&written)?, topology);
    Ok(())
}

/// What members wait for may be a future of the thread that waits for the members.
#[snowglobe::test]
async fn a_cluster_is_awaited_beside_other_futures() -> TestResult {
    let is_ready = Arc::new(AtomicBool::new(true));
    let (checked, looked) = (Arc::clone(&is_ready), Arc::clone(&is_ready));
    let cluster = Cluster::of(2, |n| NodeSpec::new(format!("m{n}")))
        .ready(move |_| match checked.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err("not yet"),
        })
        .leader(move |lab| {
            let leads = looked.load(Ordering::Relaxed);
            leads.then(|| lab.node("m1").map(|node| node.id()))?
        })
        .start()?;
    let later = || async {
        tokio::time::sleep(50 * MS).await;
        is_ready.store(true, Ordering::Relaxed);
    };
    is_ready.store(false, Ordering::Relaxed);
    let (ready, ()) = tokio::join!(cluster.wait_ready_async(), later());
    ready?;
    is_ready.store(false, Ordering::Relaxed);
    let (ready, ()) = tokio::join!(cluster.wait_member_ready_async(1), later());
    ready?;
    is_ready.store(false, Ordering::Relaxed);
    let (leader, ()) = tokio::join!(cluster.leader_async(), later());
    assert_eq!(leader?.name(), "m1");
    let other = cluster.leader_other_than_async(cluster.member(0)).await?;
    assert_eq!(other.name(), "m1");
    Ok(())
}
