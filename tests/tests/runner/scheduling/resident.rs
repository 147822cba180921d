//! Starts of a nextest run that are alike have their trials run by one process, which has run no
//! test itself. It goes with nextest.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, sendmsg,
    socket,
};
use snowglobe_tests::{shared_dir, wait_for_file, wait_until};
use tempfile::TempDir;

use super::nextest::{PATIENCE, alone, nextest, processes};

/// A shell that plays nextest, and starts this program as it is told.
struct Nextest {
    shell: Child,
    dir: TempDir,
    starts: u32,
}

/// The end of a start, and what the start has written.
struct Start {
    number: u32,
    code: String,
    stdout: String,
    stderr: String,
}

impl Nextest {
    fn new() -> Self {
        let dir = shared_dir();
        // Without a script the shell reads its commands from stdin.
        let mut shell = nextest("exec sh", dir.path());
        let shell = shell.stdin(Stdio::piped()).spawn().unwrap();
        Self {
            shell,
            dir,
            starts: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Lets the shell make a start after `before`, by way of a `wrapper` that executes its words.
    /// Does not wait for the end.
    fn begin(&mut self, slot: u32, [before, wrapper]: [&str; 2], name: &str, more: &str) -> u32 {
        self.starts += 1;
        let number = self.starts;
        let program = std::env::current_exe().unwrap();
        let place = |kind: &str| self.path(&format!("{kind}-{number}")).display().to_string();
        // The program takes the place of `env`, as it does of nextest's own start.
        let line = format!(
            "{before}\n{wrapper} env NEXTEST=1 NEXTEST_EXECUTION_MODE=process-per-test NEXTEST_RUN_ID=the-run NEXTEST_TEST_GLOBAL_SLOT={slot} NEXTEST_TEST_NAME='{name} {number}' '{}' --exact {name} --ignored --nocapture {more} >'{}' 2>'{}'\necho $? >'{}'; mv '{}' '{}'\n",
            program.display(),
            place("out"),
            place("err"),
            place("new"),
            place("new"),
            place("code"),
        );
        let stdin = self.shell.stdin.as_mut().unwrap();
        stdin.write_all(line.as_bytes()).unwrap();
        number
    }

    fn end_of(&self, number: u32) -> Start {
        let place = |kind: &str| self.path(&format!("{kind}-{number}"));
        assert!(wait_for_file(&place("code")));
        let text = |kind: &str| std::fs::read_to_string(place(kind)).unwrap();
        Start {
            number,
            code: text("code").trim().to_owned(),
            stdout: text("out"),
            stderr: text("err"),
        }
    }

    fn start(&mut self, slot: u32, before: &str, name: &str) -> Start {
        let number = self.begin(slot, [before, ""], name, "");
        self.end_of(number)
    }

    /// Ends the run as the time-out of a CI job ends it, and checks that nobody is left.
    fn kill(mut self) {
        self.shell.kill().unwrap();
        self.shell.wait().unwrap();
        assert!(wait_until(PATIENCE, alone), "{:?}", processes());
    }
}

/// Returns the numbers of the processes of this name.
fn named(name: &str) -> Vec<u32> {
    let all = processes().into_iter();
    all.filter(|(_, other)| other == name)
        .map(|(pid, _)| pid)
        .collect()
}

fn residents() -> Vec<u32> {
    named("snowglobe:stay")
}

/// Returns the number of the parent of a process, 0 if the process is gone.
fn parent_of(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent.map_or(0, |parent| parent.trim().parse().unwrap())
}

#[snowglobe::test(nested)]
fn starts_that_are_alike_have_one_process_run_their_trials() {
    let mut run = Nextest::new();
    assert_eq!(run.start(0, "", "samples::passes").code, "0");
    let first = residents();
    assert_eq!(first.len(), 1, "{:?}", processes());
    run.begin(0, [""; 2], "samples::waits_long", "");
    assert!(wait_for_file(&run.path("started")));
    // The trial of the second start is a child of the process that the first has left.
    let [init] = *named("snowglobe-trial") else {
        panic!("{:?}", processes())
    };
    assert_eq!([parent_of(init)], *first);
    assert_eq!(residents(), first);
    run.kill();
}

#[snowglobe::test(nested)]
fn each_start_that_is_alike_has_what_is_its_own() {
    let mut run = Nextest::new();
    let name = "samples::shows_its_start";
    for _ in 0..3 {
        let start = run.start(0, "", name);
        assert_eq!(start.code, "0", "{}", start.stderr);
        let number = start.number;
        let said = format!("named {name} {number}, argument {name}, count 0, alone true");
        assert!(start.stdout.contains(&said), "{}", start.stdout);
        // A resident that another trial has made.
        assert_eq!(run.start(1, "", "samples::passes").code, "0");
        let start = run.start(1, "", name);
        assert!(start.stdout.contains(&format!("argument {name}, count 0")));
        let failed = run.start(1, "", "samples::panics");
        assert_eq!(failed.code, "101");
        assert!(failed.stdout.contains("to stdout"), "{}", failed.stdout);
        assert!(failed.stderr.contains("as it should"), "{}", failed.stderr);
    }
    // The trials are gone with their starts.
    assert!(named("snowglobe-trial").is_empty(), "{:?}", processes());
    // There are two, one for each slot. On a slow machine, one of them may have been idle for so
    // long that it has ended by now.
    let both_are_there = || {
        for slot in [0, 1] {
            assert_eq!(run.start(slot, "", "samples::passes").code, "0");
        }
        let count = residents().len();
        assert!(count <= 2, "{:?}", processes());
        count == 2
    };
    assert!(wait_until(PATIENCE, both_are_there), "{:?}", processes());
    run.kill();
}

#[snowglobe::test(nested)]
fn a_start_that_is_not_alike_has_its_own_surroundings() {
    let mut run = Nextest::new();
    let sample = "samples::shows_its_surroundings";
    let one = run.start(0, "export MARK=one", sample);
    assert!(one.stdout.contains("one in "), "{}", one.stdout);
    let two = run.start(0, "export MARK=two; umask 027; ulimit -n 100", sample);
    assert!(two.stdout.contains("two in "), "{}", two.stdout);
    assert!(
        two.stdout.contains("files 100, mask 0027"),
        "{}",
        two.stdout
    );
    assert_eq!(residents().len(), 2, "{:?}", processes());
    run.kill();
}

#[snowglobe::test(nested)]
fn descriptors_that_a_start_was_given_are_the_trials_too() {
    let mut run = Nextest::new();
    let sample = "samples::reads_descriptor_7";
    let file = run.path("given");
    std::fs::write(&file, "what was given").unwrap();
    // Given to this start alone: no other has this open file.
    let wrapper = format!("sh -c 'exec 7<\"$0\"; exec \"$@\"' '{}'", file.display());
    let number = run.begin(0, ["", &wrapper], sample, "");
    let start = run.end_of(number);
    assert_eq!(start.code, "0", "{}", start.stderr);
    assert!(start.stdout.contains("what was given"), "{}", start.stdout);
    assert!(residents().is_empty(), "{:?}", processes());
    // Given to nextest, and so to all that nextest starts.
    let start = run.start(0, &format!("exec 7<'{}'", file.display()), sample);
    assert!(start.stdout.contains("what was given"), "{}", start.stdout);
    assert_eq!(residents().len(), 1, "{:?}", processes());
    let start = run.start(0, "", sample);
    assert!(start.stdout.contains("what was given"), "{}", start.stdout);
    assert_eq!(residents().len(), 1, "{:?}", processes());
    run.kill();
}

#[snowglobe::test(nested)]
fn a_trial_of_a_resident_ends_with_its_time_and_with_its_start() {
    let mut run = Nextest::new();
    let name = "samples::waits_long";
    let late = run.begin(0, [""; 2], name, "--timeout 100ms");
    let late = run.end_of(late);
    assert_eq!(late.code, "101");
    assert!(
        late.stdout.contains("timed out after 100ms"),
        "{}",
        late.stdout
    );
    // Everything of that trial is gone when its start has ended.
    assert!(named("snowglobe-trial").is_empty(), "{:?}", processes());
    std::fs::remove_file(run.path("started")).unwrap();

    run.begin(0, [""; 2], name, "");
    assert!(wait_for_file(&run.path("started")));
    let residents_before = residents();
    assert_eq!(residents_before.len(), 1, "{:?}", processes());
    let starts = processes().into_iter().filter(|(pid, _)| {
        *pid != run.shell.id() && parent_of(*pid) == run.shell.id() && *pid != std::process::id()
    });
    let starts: Vec<_> = starts.map(|(pid, _)| pid).collect();
    let [start] = *starts else {
        panic!("{starts:?}: {:?}", processes())
    };
    let start = nix::unistd::Pid::from_raw(start.cast_signed());
    nix::sys::signal::kill(start, nix::sys::signal::Signal::SIGKILL).unwrap();
    let is_gone = || named("snowglobe-trial").is_empty();
    assert!(wait_until(PATIENCE, is_gone), "{:?}", processes());
    // It has run no test, so that it can serve the next start.
    assert_eq!(residents(), residents_before);
    run.kill();
}

/// Asks the resident to run a trial, with a descriptor as proof of the rights over it. Returns the
/// length of the answer: 0 is the end of the channel.
fn ask(proof: &str) -> usize {
    let names = std::fs::read_to_string("/proc/net/unix").unwrap();
    let name = names
        .lines()
        .find_map(|line| line.split_once("@snowglobe-stay-"));
    let name = format!("snowglobe-stay-{}", name.unwrap().1);
    let socket = socket(
        AddressFamily::Unix,
        SockType::SeqPacket,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    let address = UnixAddr::new_abstract(name.as_bytes()).unwrap();
    connect(socket.as_raw_fd(), &address).unwrap();
    // Version, edge, name of the trial, number of this process, no variables.
    let mut message = vec![2, 16];
    let name = "samples::passes";
    message.extend((name.len() as u32).to_le_bytes());
    message.extend(name.as_bytes());
    message.extend(std::process::id().to_le_bytes());
    message.extend(0u32.to_le_bytes());
    let null = std::fs::File::options().write(true).open("/dev/null");
    let null = null.unwrap();
    let proof = std::fs::File::open(proof).unwrap();
    let rights = [
        null.as_raw_fd(),
        null.as_raw_fd(),
        null.as_raw_fd(),
        proof.as_raw_fd(),
    ];
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

#[snowglobe::test(nested)]
fn a_resident_serves_nobody_who_has_no_rights_over_it() {
    let mut run = Nextest::new();
    assert_eq!(run.start(0, "", "samples::passes").code, "0");
    let [resident] = *residents() else {
        panic!("{:?}", processes())
    };
    // Everybody has this one.
    assert_eq!(ask("/proc/self/ns/user"), 0);
    assert_eq!(ask("/dev/null"), 0);
    assert!(ask(&format!("/proc/{resident}/ns/user")) > 0);
    run.kill();
}

#[snowglobe::test(nested)]
fn a_resident_that_nobody_asks_ends() {
    let mut run = Nextest::new();
    assert_eq!(run.start(0, "", "samples::passes").code, "0");
    assert_eq!(residents().len(), 1, "{:?}", processes());
    let limit = PATIENCE + Duration::from_secs(10);
    assert!(wait_until(limit, || residents().is_empty()));
    assert_eq!(run.start(0, "", "samples::passes").code, "0");
    run.kill();
}
