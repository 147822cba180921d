//! Programs run in nodes.

use std::io::BufRead;
use std::os::fd::AsRawFd;

use snowglobe::lab::{LabErrorKind, Node, Stdio};
use snowglobe::prelude::*;
use snowglobe::topology::Size;

#[snowglobe::test]
fn a_program_runs_in_its_node() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let names = a
        .command("cat")
        .args(["/proc/sys/kernel/hostname", "/etc/hosts"])
        .output()?;
    assert!(names.status.success());
    assert!(
        names
            .stdout_str()
            .starts_with("alice\n127.0.0.1\tlocalhost\n"),
        "{}",
        names.stdout_str()
    );
    assert!(
        names.stdout_str().contains("\tbob bob.lab\n"),
        "{}",
        names.stdout_str()
    );
    let failed = a
        .command("sh")
        .args(["-c", "echo no >&2; exit 3"])
        .output()?;
    assert_eq!(
        (failed.status.code(), failed.stderr_str().as_str()),
        (Some(3), "no\n")
    );
    Ok(())
}

#[snowglobe::test]
fn programs_are_children_of_their_nodes_first_process() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let parent = a
        .command("sh")
        .args(["-c", "echo $PPID; echo /proc/[0-9]*; echo /proc/1 /proc/$$"])
        .output()?;
    let said = parent.stdout_str();
    let (parent, numbers) = said.split_once('\n').ok_or("two lines")?;
    let (found, expected) = numbers.split_once('\n').ok_or("three lines")?;
    // These are the first process and the shell.
    assert_eq!((parent, found), ("1", expected.trim_end()));
    Ok(())
}

#[snowglobe::test]
fn what_cannot_be_run_is_named() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let error = a
        .command("no-such-program")
        .env("PATH", "/usr/bin:/bin")
        .spawn()
        .map(drop)
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(2));
    assert!(
        error
            .to_string()
            .starts_with("failed to run `no-such-program` on `alice`: ENOENT"),
        "{error}"
    );
    let error = a.command("/etc/passwd").spawn().map(drop).unwrap_err();
    assert!(error.to_string().contains("EACCES"), "{error}");
    let error = a
        .command("true")
        .current_dir("/no/such/dir")
        .spawn()
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("ENOENT"), "{error}");
    Ok(())
}

#[snowglobe::test]
fn pipes_lines_signals_and_environment_are_as_in_std() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let mut cat = a
        .command("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    cat.stdin.take().ok_or("stdin")?.write_all(b"one\ntwo\n")?;
    let lines: Vec<String> = std::io::BufReader::new(cat.stdout.take().ok_or("stdout")?)
        .lines()
        .collect::<Result<_, _>>()?;
    assert_eq!(lines, ["one", "two"]);
    assert!(cat.wait()?.success());

    let env = a
        .command("sh")
        .args(["-c", "echo $A$B; pwd"])
        .env_clear()
        .env("A", "1")
        .current_dir("/tmp")
        .output()?;
    assert_eq!(env.stdout_str(), "1\n/tmp\n");

    let mut sleeper = a.command("sleep").arg("1000").spawn()?;
    assert_eq!(sleeper.try_wait()?, None);
    let error = sleeper.wait_timeout(Duration::from_millis(20)).unwrap_err();
    assert!(error.is_timeout());
    sleeper.kill()?;
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&sleeper.wait()?),
        Some(9)
    );
    sleeper.kill()?;
    Ok(())
}

#[snowglobe::test]
fn a_log_can_be_waited_for_and_followed() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let mut shell = a
        .command("sh")
        .args(["-c", "echo early; read x; echo \"ready $x\" >&2; echo late"])
        .stdin(Stdio::piped())
        .spawn()?;
    shell.wait_for_log("early")?;
    shell.stdin.take().ok_or("stdin")?.write_all(b"now\n")?;
    assert_eq!(shell.wait_for_log("ready")?.text, "ready now");
    let error = shell.wait_for_log("never").unwrap_err().to_string();
    assert!(
        error.contains("`alice/sh` exited with code 0 before it wrote \"never\""),
        "{error}"
    );
    let lines: Vec<String> = shell.lines().map(|line| line.text).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(shell.wait()?.success());
    Ok(())
}

#[snowglobe::test]
fn a_port_is_waited_for_without_touching_it() -> TestResult {
    let lab = shape::pair().start()?;
    let (a, b) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    lab.set_patience(Duration::from_millis(50));
    let error = b.wait_for_port(80).unwrap_err().to_string();
    assert!(
        error.contains("TCP port 80 of node `bob`") && error.contains("no listener at all"),
        "{error}"
    );
    let listener = b.run(|| TcpListener::bind("0.0.0.0:80"))?;
    b.wait_for_port(80)?;
    listener.set_nonblocking(true)?;
    assert_eq!(
        listener.accept().map(drop).unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
    lab.set_patience(Duration::from_secs(20));
    let mut failing = a
        .command("sh")
        .args(["-c", "echo cannot bind >&2; exit 4"])
        .spawn()?;
    let error = failing.wait_for_port(80).unwrap_err().to_string();
    assert!(
        error.contains("exited with code 4 before it listened on TCP port 80")
            && error.contains("cannot bind"),
        "{error}"
    );
    failing.wait()?;
    Ok(())
}

#[snowglobe::test]
fn a_node_whose_server_is_dead_is_not_waited_for() -> TestResult {
    let lab = shape::pair().start()?;
    let [a, b] = ["alice", "bob"].map(|name| lab.node(name).expect("a pair"));
    let shell = |node: &Node, script: &str| node.command("sh").args(["-c", script]).spawn();
    let _failing = shell(a, "echo cannot bind >&2; exit 4")?;
    let error = a.wait_for_port(80).unwrap_err();
    assert_eq!(error.kind(), LabErrorKind::ProcessEnded, "{error}");
    let error = error.to_string();
    let ended = "`alice/sh` exited with code 4 before anything listened on TCP port 80 of node \
                 `alice`, in which nothing else runs; ";
    assert!(error.contains(ended), "{error}");
    assert!(error.contains("cannot bind"), "{error}");
    let _killed = shell(b, "echo no socket >&2; kill -9 $$")?;
    let error = b.wait_for_socket("/run/none").unwrap_err().to_string();
    let ended = "`bob/sh` was killed by SIGKILL (signal 9) before anything was ready at Unix socket \
                 `/run/none` of node `bob`";
    assert!(error.contains(ended), "{error}");
    assert!(error.contains("no socket"), "{error}");
    // One that ends well without a daemon has ended too.
    let nobody = shell(a, "echo nothing to do")?;
    let error = nobody.wait_for_port(80).unwrap_err().to_string();
    let ended = "exited with code 0 before it listened on TCP port 80 and left no process";
    assert!(error.contains(ended), "{error}");
    assert!(error.contains("nothing to do"), "{error}");
    Ok(())
}

#[snowglobe::test]
fn a_port_is_waited_for_while_a_daemon_of_an_ended_program_runs() -> TestResult {
    let lab = shape::pair().start()?;
    for (node, code) in ["alice", "bob"].into_iter().zip([0, 3]) {
        let node = lab.node(node).ok_or("a node of the pair")?;
        // A shell gives what runs in the background no input, unless told so (POSIX, 2.9.3.1).
        let script = format!("exec 3<&0; (sh -c 'read go' <&3 >/dev/null 2>&1 &); exit {code}");
        let mut shell = node.command("sh");
        let shell = shell.args(["-c", &script]).stdin(Stdio::piped());
        let mut parent = shell.spawn()?;
        let mut input = parent.stdin.take().ok_or("no input")?;
        // The pidfd tells of the end without anybody having waited for it: pidfd_open(2).
        let pidfd = format!("/proc/self/fdinfo/{}", parent.as_raw_fd());
        let has_exited = || std::fs::read_to_string(&pidfd).is_ok_and(|it| it.contains("Pid:\t-1"));
        lab.set_patience(Duration::from_secs(20));
        lab.wait_until(has_exited)?;
        lab.set_patience(Duration::from_millis(100));
        let error = match code {
            0 => parent.wait_for_port(80),
            _ => node.wait_for_port(80),
        };
        assert!(error.unwrap_err().is_timeout(), "code {code}");
        let _listener = node.run(|| TcpListener::bind("0.0.0.0:80"))?;
        node.wait_for_port(80)?;
        input.write_all(b"go\n")?;
        assert_eq!(parent.wait()?.code(), Some(code));
    }
    Ok(())
}

#[snowglobe::test]
fn output_shows_text_as_stds_does() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let script = "echo 'it \"works\"'; printf '\\377' >&2; exit 3";
    let ours = a.command("sh").args(["-c", script]).output()?;
    let stds = std::process::Command::new("sh")
        .args(["-c", script])
        .output()?;
    assert_eq!(format!("{ours:?}"), format!("{stds:?}"));
    assert_eq!(format!("{ours:#?}"), format!("{stds:#?}"));
    assert!(format!("{ours:?}").contains(r#"it \"works\""#), "{ours:?}");
    Ok(())
}

#[snowglobe::test]
fn huge_arguments_work_as_with_std() -> TestResult {
    let lab = shape::pair().start()?;
    let a = lab.node("alice").ok_or("alice")?;
    // MAX_ARG_STRLEN of execve(2): 32 pages, with the zero byte at the end.
    const LONGEST: usize = 128 << 10;
    // Together a quarter of a stack of 8 MB, less some for the environment and the pointers.
    let many: Vec<String> = (0..14).map(|_| "x".repeat(LONGEST - 1)).collect();
    let script = ["-c", "echo $#; printf %s \"$*\" | wc -c", "sh"];
    let counted = a.command("sh").args(script).args(&many).output()?;
    assert_eq!(
        counted.stdout_str(),
        format!("14\n{}\n", 14 * LONGEST - 1),
        "{counted:?}"
    );
    let long = "v".repeat(LONGEST - 4);
    let values: Vec<(String, &str)> = (0..8).map(|n| (format!("V{n}"), &*long)).collect();
    let env = a
        .command("sh")
        .args(["-c", "printf %s \"$V0$V1$V2$V3$V4$V5$V6$V7\" | wc -c"])
        .envs(values)
        .output()?;
    assert_eq!(
        env.stdout_str(),
        format!("{}\n", 8 * (LONGEST - 4)),
        "{env:?}"
    );

    // Beyond the limits the kernel's error is that of std, and the limit is named.
    for args in [vec!["x".repeat(LONGEST)], vec!["x".repeat(LONGEST - 1); 64]] {
        let error = a.command("true").args(&args).output().unwrap_err();
        let stds = std::process::Command::new("true")
            .args(&args)
            .output()
            .unwrap_err();
        assert_eq!(error.raw_os_error(), stds.raw_os_error());
        let text = error.to_string();
        assert!(text.contains("E2BIG") && text.contains("128 KiB"), "{text}");
    }
    // The node lives on.
    assert!(a.command("true").status()?.success());
    Ok(())
}

#[snowglobe::test]
fn a_node_may_have_a_huge_description() -> TestResult {
    let long = "d".repeat(200);
    // More than a socket takes in one message (208 KiB).
    let volumes = 1_200;
    let mut alice = NodeSpec::new("alice");
    for n in 0..volumes {
        let at = format!("/tmp/{n}-{long}");
        alice = alice.volume(at, Volume::tmpfs(Size::mib(1)));
    }
    let mut topology = Topology::new();
    topology.node(alice);
    let lab = topology.start()?;
    let a = lab.node("alice").ok_or("alice")?;
    let mounts = a.command("cat").arg("/proc/self/mounts").output()?;
    assert_eq!(mounts.stdout_str().matches(&long).count(), volumes);
    Ok(())
}
