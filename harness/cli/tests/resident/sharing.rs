//! The process that wrappers share: who shares it, and when it ends.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, sendmsg,
    socket,
};
use nix::unistd::Pid;

use crate::run::{processes, residents, start, variables};
use crate::wrapper::{says, stderr, stdout};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the condition holds, and returns whether it does.
fn wait_until(condition: impl Fn() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Runs a script of `sh` in such a run, and returns what it prints.
fn shell(run: &str, script: &str) -> String {
    let output = start(run, &["--", "sh", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    stdout(&output)
}

/// Starts a script that says `ready`, and waits for that.
fn begin(mut command: Command) -> (Child, BufReader<ChildStdout>) {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, stdout)
}

#[test]
fn starts_that_are_alike_share_a_process_and_no_world() {
    let script = "ls /tmp/x 2>/dev/null; touch /tmp/x; hostname; echo $0 $1";
    let run = |first: &str| {
        let words = ["--", "sh", "-c", script, first, "b"];
        stdout(&start("alike", &words).output().unwrap())
    };
    assert_eq!(run("a"), "sh\na b\n");
    let first = residents("alike");
    assert_eq!(first.len(), 1);
    for name in ["c", "d", "e"] {
        assert_eq!(run(name), format!("sh\n{name} b\n"));
    }
    assert_eq!(residents("alike"), first);
    let output = start("alike", &["--", "hostname"]).output().unwrap();
    assert_eq!(stdout(&output), "hostname\n");
    // A program that is not there is told as ever, and does no harm to the next.
    let output = start("alike", &["--", "no-such-program"]).output().unwrap();
    assert_eq!(output.status.code(), Some(127));
    says(&stderr(&output), &["cannot start `no-such-program`"]);
    assert_eq!(run("f"), "sh\nf b\n");
    assert_eq!(residents("alike"), first);
}

#[test]
fn starts_that_are_not_alike_share_nothing() {
    let script = "umask; ulimit -n; pwd; echo $MARK; echo $NEXTEST_TEST_NAME";
    let run = |prepare: &str| {
        let line = format!(
            "{prepare}; exec env {} {} exec -- sh -c '{script}'",
            variables("unlike", 0).join(" "),
            env!("CARGO_BIN_EXE_snowglobe")
        );
        stdout(&Command::new("sh").args(["-c", &line]).output().unwrap())
    };
    let usual = "umask 022; ulimit -n 200; cd /usr; export MARK=one NEXTEST_TEST_NAME=";
    assert_eq!(run(&format!("{usual}a")), "0022\n200\n/usr\none\na\n");
    // nextest sets this one for each start.
    assert_eq!(run(&format!("{usual}b")), "0022\n200\n/usr\none\nb\n");
    assert_eq!(residents("unlike").len(), 1);
    for (others, (change, expected)) in (2..).zip([
        ("umask 027", "0027\n200\n/usr\none\na\n"),
        ("ulimit -n 100", "0022\n100\n/usr\none\na\n"),
        ("cd /etc", "0022\n200\n/etc\none\na\n"),
        ("MARK=two", "0022\n200\n/usr\ntwo\na\n"),
    ]) {
        assert_eq!(run(&format!("{usual}a; {change}")), expected);
        assert_eq!(residents("unlike").len(), others, "{change}");
    }
}

#[test]
fn the_program_is_in_the_group_and_the_session_of_its_wrapper() {
    let mut command = start("group", &["--", "sh", "-c", "echo ready; read x; exit 5"]);
    command.process_group(0);
    let (mut child, _stdout) = begin(command);
    // Of /proc/PID/stat: the parent, the group and the session.
    let fields = |pid: u32| -> Vec<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let fields = rest.split(' ').skip(1).take(3);
        fields.map(|field| field.parse().unwrap()).collect()
    };
    let [resident] = *residents("group") else {
        panic!("{:?}", processes("group", None))
    };
    let [.., session] = *fields(child.id()) else {
        unreachable!()
    };
    let [program] = *processes("group", Some("sh")) else {
        panic!("{:?}", processes("group", None))
    };
    let [init, group, of_program] = *fields(program) else {
        unreachable!()
    };
    assert_eq!(group, child.id());
    assert_eq!(of_program, session);
    assert_eq!(fields(init)[..2], [resident, child.id()]);
    // The process that is shared is in no group of a test.
    assert_eq!(fields(resident)[1], resident);
    // A signal to the group ends all that is in it, as a time-out of nextest does.
    kill(Pid::from_raw(-child.id().cast_signed()), Signal::SIGKILL).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(wait_until(|| processes("group", Some("sh")).is_empty()));
    assert_eq!(shell("group", "echo a"), "a\n");
}

#[test]
fn the_process_that_is_shared_ends_with_nextest() {
    let line = format!(
        "env {} {} exec -- sh -c 'echo ready; sleep 1000'; :",
        variables("gone", 0).join(" "),
        env!("CARGO_BIN_EXE_snowglobe")
    );
    let mut nextest = Command::new("sh");
    let (mut nextest, mut output) = begin({
        nextest.args(["-c", &line]);
        nextest
    });
    assert_eq!(residents("gone").len(), 1);
    nextest.kill().unwrap();
    nextest.wait().unwrap();
    // The pipe ends when nobody has it any more.
    assert_eq!(output.read(&mut [0]).unwrap(), 0);
    assert!(wait_until(|| processes("gone", None).is_empty()));
}

#[test]
fn a_start_lives_on_without_the_process_that_is_shared() {
    assert_eq!(shell("killed", "echo a"), "a\n");
    let [resident] = *residents("killed") else {
        panic!()
    };
    kill(Pid::from_raw(resident.cast_signed()), Signal::SIGKILL).unwrap();
    assert_eq!(shell("killed", "echo b"), "b\n");
    // A resident that is busy, be it that it was stopped, is not waited for without end.
    let (mut child, mut output) = begin(start(
        "killed",
        &["--", "sh", "-c", "echo ready; read x; exit 5"],
    ));
    let [resident] = *residents("killed") else {
        panic!()
    };
    kill(Pid::from_raw(resident.cast_signed()), Signal::SIGKILL).unwrap();
    assert_eq!(output.read(&mut [0]).unwrap(), 0);
    assert!(!child.wait().unwrap().success());
    assert_eq!(shell("killed", "echo c"), "c\n");
}

#[test]
fn what_a_program_leaves_is_named_and_gone_before_the_next() {
    let script = "sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; exit 3";
    for _ in 0..3 {
        let words = ["--", "sh", "-c", script];
        let output = start("leaves", &words).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        says(&stderr(&output), &["left running, and killed: sleep (pid "]);
        assert!(processes("leaves", Some("sleep")).is_empty());
    }
    let words = ["--timeout", "4s", "--", "sh", "-c", "sleep 1000; :"];
    let output = start("leaves", &words).output().unwrap();
    assert_eq!(output.status.code(), Some(124));
    says(
        &stderr(&output),
        &["timed out after 4s", "what hangs:", "sleep"],
    );
    assert!(processes("leaves", Some("sleep")).is_empty());
    assert_eq!(shell("leaves", "echo a"), "a\n");
}

#[test]
fn the_world_of_a_program_shows_nothing_of_the_host() {
    // The process that is shared sees the host. Nobody in a world can reach what it has.
    let script = "ls -l /proc/1/fd /proc/self/fd; readlink /proc/1/fd/* /proc/self/fd/*";
    assert_eq!(shell("shows", "echo a"), "a\n");
    let seen = shell("shows", &format!("({script}) 2>/dev/null; :"));
    assert!(
        !seen.contains("/proc\n") && !seen.contains("-> /proc\n"),
        "{seen}"
    );
}

/// Asks the process that serves a run for a program, with this file in the place of its user
/// namespace. Returns the length of the answer: 0 is the end of the channel.
fn ask(resident: u32, proof: &str) -> usize {
    let names = std::fs::read_to_string("/proc/net/unix").unwrap();
    let inodes = std::fs::read_dir(format!("/proc/{resident}/fd")).unwrap();
    let inodes: Vec<String> = inodes
        .filter_map(|entry| {
            let place = std::fs::read_link(entry.ok()?.path()).ok()?;
            let inode = place
                .to_str()?
                .strip_prefix("socket:[")?
                .trim_end_matches(']');
            Some(inode.to_owned())
        })
        .collect();
    let name = names.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_its_own = inodes
            .iter()
            .any(|inode| fields.get(6) == Some(&inode.as_str()));
        let name = fields.get(7)?.strip_prefix('@')?;
        is_its_own.then(|| name.to_owned())
    });
    let socket = socket(
        AddressFamily::Unix,
        SockType::SeqPacket,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    let address = UnixAddr::new_abstract(name.unwrap().as_bytes()).unwrap();
    connect(socket.as_raw_fd(), &address).unwrap();
    // Version and edge of the message.
    let mut message = vec![2, 18];
    // One word, the number of this process, its group, and no variables.
    message.extend(1u32.to_le_bytes());
    message.extend(4u32.to_le_bytes());
    message.extend(b"true");
    message.extend(std::process::id().to_le_bytes());
    message.extend(nix::unistd::getpgrp().as_raw().to_le_bytes());
    message.extend(0u32.to_le_bytes());
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null");
    let null = null.unwrap();
    let proof = std::fs::File::open(proof).unwrap();
    let null = null.as_raw_fd();
    let rights = [null, null, null, null, proof.as_raw_fd()];
    sendmsg::<()>(
        socket.as_raw_fd(),
        &[std::io::IoSlice::new(&message)],
        &[ControlMessage::ScmRights(&rights)],
        MsgFlags::empty(),
        None,
    )
    .unwrap();
    recv(socket.as_raw_fd(), &mut [0; 4096], MsgFlags::empty()).unwrap_or(0)
}

#[test]
fn a_stranger_is_not_served() {
    assert_eq!(shell("stranger", "echo a"), "a\n");
    let [resident] = *residents("stranger") else {
        panic!()
    };
    // Everybody has these.
    assert_eq!(ask(resident, "/proc/self/ns/user"), 0);
    assert_eq!(ask(resident, "/dev/null"), 0);
    assert!(ask(resident, &format!("/proc/{resident}/ns/user")) > 0);
}
