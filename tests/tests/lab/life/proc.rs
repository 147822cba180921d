//! `/proc` is as true in a node as outside: for code of the test, for what that code starts, and
//! for the programs of the node.

use std::backtrace::Backtrace;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::gettid;
use snowglobe::Lab;
use snowglobe::lab::Node;
use snowglobe::prelude::*;
use snowglobe::topology::{NodeId, Users};

/// Everything that a thread reads off `/proc` about itself and its process.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    process: PathBuf,
    thread: PathBuf,
    program: PathBuf,
    /// Files that lead to a descriptor by way of `/proc`.
    read: Vec<String>,
}

fn look() -> std::io::Result<Seen> {
    let read = |path: &str| {
        let mut text = String::new();
        fs::File::open(path)?.read_to_string(&mut text)?;
        Ok(text)
    };
    Ok(Seen {
        process: fs::read_link("/proc/self")?,
        thread: fs::read_link("/proc/thread-self")?,
        program: std::env::current_exe()?,
        read: [
            "/dev/stdin",
            "/dev/fd/0",
            "/proc/self/fd/0",
            "/proc/self/cmdline",
        ]
        .map(read)
        .into_iter()
        .collect::<std::io::Result<_>>()?,
    })
}

/// Checks what `seen` says of a thread of this process.
#[track_caller]
fn is_of_this_process(seen: &Seen, thread: nix::unistd::Pid) -> TestResult {
    let process = std::process::id();
    assert_eq!(seen.process, Path::new(&process.to_string()));
    let task = format!("{process}/task/{thread}");
    assert_eq!(seen.thread, Path::new(&task));
    assert_eq!(seen.program, std::env::current_exe()?);
    let arguments: Vec<String> = std::env::args().collect();
    assert_eq!(seen.read[..3], ["", "", ""], "stdin is empty");
    assert_eq!(
        seen.read[3]
            .trim_end_matches('\0')
            .split('\0')
            .collect::<Vec<_>>(),
        arguments
    );
    Ok(())
}

/// Returns the interfaces and the listening TCP ports that files of `/proc` tell of.
fn network(below: &str) -> std::io::Result<(Vec<String>, Vec<u16>)> {
    let devices = fs::read_to_string(format!("/proc/{below}/dev"))?;
    let names = devices.lines().filter_map(|line| line.split_once(':'));
    let mut names: Vec<String> = names.map(|(name, _)| name.trim().to_owned()).collect();
    names.sort();
    let sockets = fs::read_to_string(format!("/proc/{below}/tcp"))?;
    let listening = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let port = words.next()?.rsplit_once(':')?.1.to_owned();
        // The second column after it is the state; 0A is TCP_LISTEN (proc_pid_net(5)).
        (words.nth(1)? == "0A").then(|| u16::from_str_radix(&port, 16).ok())?
    };
    Ok((names, sockets.lines().filter_map(listening).collect()))
}

/// Checks that code in this node sees the node's network in `/proc`, where it listens on `port`.
fn network_is_of(node: &Node, port: u16) -> TestResult {
    let expected = (vec!["eth0".to_owned(), "lo".to_owned()], vec![port]);
    for below in ["net", "self/net", "thread-self/net"] {
        assert_eq!(node.run(|| network(below))?, expected, "{below}");
    }
    let of_process = format!("{}/net", std::process::id());
    assert_eq!(node.run(|| network(&of_process))?, expected);
    Ok(())
}

fn pair() -> TestResult<Lab> {
    Ok(shape::pair().start()?)
}

#[snowglobe::test]
fn code_in_a_node_finds_its_process_and_its_thread() -> TestResult {
    let lab = pair()?;
    let alice = lab.node("alice").ok_or("alice")?;
    is_of_this_process(&look()?, gettid())?;
    for _ in 0..2 {
        let (seen, thread) = alice.run(|| (look(), gettid()));
        is_of_this_process(&seen?, thread)?;
    }
    alice.restart()?;
    let (seen, thread) = alice.run(|| (look(), gettid()));
    is_of_this_process(&seen?, thread)?;
    // A thread that the code starts is in the node too.
    let (seen, thread) = alice.run(|| {
        std::thread::spawn(|| (look(), gettid()))
            .join()
            .expect("it ends")
    });
    is_of_this_process(&seen?, thread)
}

#[snowglobe::test]
async fn futures_in_a_node_find_their_process_and_the_network() -> TestResult {
    let lab = pair()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let seen = alice.spawn(async { (look(), gettid(), network("net"), network("self/net")) });
    let (seen, thread, network, of_process) = seen.await?;
    is_of_this_process(&seen?, thread)?;
    let expected = (vec!["eth0".to_owned(), "lo".to_owned()], vec![]);
    assert_eq!((network?, of_process?), (expected.clone(), expected));
    let blocking = alice.spawn(async { tokio::task::spawn_blocking(|| (look(), gettid())).await });
    let (seen, thread) = blocking.await??;
    is_of_this_process(&seen?, thread)
}

#[snowglobe::test]
fn the_network_in_proc_is_that_of_the_node() -> TestResult {
    let lab = pair()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let _home = TcpListener::bind("127.0.0.1:80")?;
    let _listeners = [
        alice.run(|| TcpListener::bind("0.0.0.0:81"))?,
        bob.run(|| TcpListener::bind("0.0.0.0:82"))?,
    ];
    network_is_of(alice, 81)?;
    network_is_of(bob, 82)?;
    // From within another node, and back.
    alice.run(|| -> Result<(), String> {
        network_is_of(bob, 82).map_err(|error| format!("{error:?}"))?;
        network_is_of(alice, 81).map_err(|error| format!("{error:?}"))
    })?;
    for below in ["net", "self/net", "thread-self/net"] {
        assert_eq!(
            network(below)?,
            (vec!["lo".to_owned()], vec![80]),
            "at home"
        );
    }
    Ok(())
}

#[snowglobe::test]
fn a_program_that_code_in_a_node_starts_finds_itself() -> TestResult {
    let lab = pair()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let _listener = alice.run(|| TcpListener::bind("0.0.0.0:81"))?;
    let script = "echo $$; readlink /proc/self/exe; sh -c 'readlink /proc/self/../$$/exe'; \
                  echo fed | cat /dev/stdin; cat <(echo by descriptor); \
                  grep -c ':0051 .* 0A ' /proc/net/tcp /proc/self/net/tcp; \
                  grep -o eth0 /proc/net/dev";
    let output = alice.run(|| Command::new("bash").args(["-c", script]).output())?;
    let said = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 8, "{said}");
    assert!(
        lines[0].parse::<u32>()? > 1 && lines[1].ends_with("readlink"),
        "{said}"
    );
    assert!(lines[2].starts_with('/'), "{said}");
    let rest = [
        "fed",
        "by descriptor",
        "/proc/net/tcp:1",
        "/proc/self/net/tcp:1",
        "eth0",
    ];
    assert_eq!(lines[3..], rest, "{said}");
    Ok(())
}

#[snowglobe::test]
fn the_programs_of_a_node_see_their_own_processes() -> TestResult {
    let lab = pair()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let script = "cd /proc; readlink self/exe; cat 1/comm; ls -d [0-9]*; \
                  sh -c '[ $(readlink /proc/self/../$$/ns/pid) = $(readlink /proc/self/ns/pid) ] && echo same'";
    let look = || -> TestResult<String> {
        Ok(alice
            .command("sh")
            .args(["-c", script])
            .output()?
            .stdout_str())
    };
    let before = look()?;
    assert!(
        before.contains("\nnode:alice\n") && before.ends_with("\nsame\n"),
        "{before}"
    );
    let count = |said: &str| {
        said.lines()
            .filter(|line| line.parse::<u32>().is_ok())
            .count()
    };
    // The first process and the shell.
    assert_eq!(count(&before), 2, "{before}");
    alice.run(look_around);
    let after = look()?;
    assert_eq!(count(&after), 2, "{after}");
    assert!(after.contains("\nnode:alice\n"), "{after}");
    Ok(())
}

fn look_around() {
    let _ = fs::read_dir("/proc").map(Iterator::count);
}

/// Mounts a tmpfs with a file in it, by a program of the host.
fn mount_at(at: &str) -> String {
    format!("mkdir -p {at} && mount -t tmpfs tmpfs {at} && echo here > {at}/file")
}

/// Checks that code and programs in a node see the same files, whoever mounts them, and when.
fn files_are_shared(node: &Node) -> TestResult {
    let shell = |line: &str| -> TestResult<String> {
        let output = node.command("sh").args(["-c", line]).output()?;
        Ok(output.stdout_str() + &output.stderr_str())
    };
    let code = |line: &str| -> TestResult<String> {
        let output = node.run(|| Command::new("sh").args(["-c", line]).output())?;
        Ok(String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?)
    };
    assert_eq!(shell(&mount_at("/tmp/early"))?, "");
    assert_eq!(
        node.run(|| fs::read_to_string("/tmp/early/file"))?,
        "here\n"
    );
    assert_eq!(shell(&mount_at("/tmp/late"))?, "");
    assert_eq!(node.run(|| fs::read_to_string("/tmp/late/file"))?, "here\n");
    assert_eq!(code(&mount_at("/run/visitor"))?, "");
    assert_eq!(
        shell("cat /run/visitor/file; umount /run/visitor && ls /run/visitor")?,
        "here\n"
    );
    assert!(!node.run(|| Path::new("/run/visitor/file").exists()));
    for mounts in [
        "/proc/mounts",
        "/proc/self/mountinfo",
        "/proc/thread-self/mounts",
    ] {
        let seen = node.run(|| fs::read_to_string(mounts))?;
        assert!(seen.contains(" /tmp/late "), "{mounts}:\n{seen}");
        assert!(
            !fs::read_to_string(mounts)?.contains(" /tmp/late "),
            "{mounts}"
        );
    }
    Ok(())
}

#[snowglobe::test]
fn code_and_programs_of_a_node_share_all_mounts() -> TestResult {
    let lab = pair()?;
    files_are_shared(lab.node("alice").ok_or("alice")?)
}

/// Nodes of other kinds: users of their own, in pods that share processes or do not.
fn others() -> TestResult<(Lab, Vec<NodeId>)> {
    let mut topology = Topology::new();
    let one = topology.node(NodeSpec::new("one").users(Users::One));
    let pod = topology.pod(PodSpec::new("pod"));
    let sharing = topology.pod(PodSpec::new("sharing").share_pid());
    let nodes = vec![
        one,
        topology.container(pod, "app"),
        topology.container(sharing, "app"),
        topology.container(sharing, "side"),
    ];
    let switch = topology.switch("switch");
    topology.link(one, switch);
    topology.link(pod, switch);
    topology.link(sharing, switch);
    Ok((topology.start()?, nodes))
}

#[snowglobe::test]
fn proc_is_true_in_every_kind_of_node() -> TestResult {
    let (lab, nodes) = others()?;
    for (port, id) in (81..).zip(nodes) {
        let node = &lab[id];
        let (seen, thread) = node.run(|| (look(), gettid()));
        is_of_this_process(&seen?, thread)?;
        let listener = node.run(|| TcpListener::bind(("0.0.0.0", port)))?;
        network_is_of(node, port)?;
        drop(listener);
        files_are_shared(node)?;
    }
    Ok(())
}

#[snowglobe::test]
fn a_backtrace_in_a_node_names_the_test() -> TestResult {
    let lab = pair()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let trace = || Backtrace::force_capture().to_string();
    let inside = alice.run(trace);
    for trace in [inside, trace()] {
        assert!(
            trace.contains("a_backtrace_in_a_node_names_the_test"),
            "{trace}"
        );
        assert!(trace.contains("life/proc.rs:"), "{trace}");
    }
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn panics_in_a_node_and_at_home() {
    let lab = pair().expect("two nodes");
    let alice = lab.node("alice").expect("it is there");
    panics_in(alice);
    panic!("at home");
}

/// The file of this program is not there.
#[snowglobe::test(ignore = "a sample")]
fn panics_in_a_node_without_files() {
    let root = snowglobe_tests::shared_dir();
    let mut topology = Topology::new();
    topology.node(NodeSpec::new("alice").rootfs(root.path()));
    let lab = topology.start().expect("one node");
    let alice = lab.node("alice").expect("it is there");
    panics_in(alice);
    panic!("at home");
}

fn panics_in(node: &Node) {
    let visit = || node.run(|| panic!("in the node"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(visit));
    assert!(caught.is_err());
}

#[snowglobe::test(nested)]
fn a_panic_in_a_node_has_a_whole_backtrace_and_so_have_later_ones() {
    for name in [
        "panics_in_a_node_and_at_home",
        "panics_in_a_node_without_files",
    ] {
        let mut program = snowglobe_tests::this_program();
        let path = format!("proc::{name}");
        program.args(["--exact", &path, "--include-ignored"]);
        let output = program.env("RUST_BACKTRACE", "1").output();
        let run = snowglobe_tests::finished(output.expect("this program starts"));
        run.failed_with(&["in the node", "at home"]);
        let (_, said) = run.stdout.split_once("in the node").expect("it is there");
        let (inside, outside) = said.split_once("at home").expect("it comes later");
        assert!(inside.contains("proc::panics_in"), "{}", run.stdout);
        assert!(outside.contains(&format!("proc::{name}")), "{}", run.stdout);
        for trace in [inside, outside] {
            assert!(trace.contains("life/proc.rs:"), "{}", run.stdout);
        }
    }
}
