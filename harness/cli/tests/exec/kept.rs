//! Under nextest the wrappers of one run share an outer sandbox, and nothing else.

use std::io::Read;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};

use crate::wrapper::{exec, pid, says, stderr, stdout};

/// Makes a command a part of the nextest run of that id. This test is the process that plays
/// nextest: it does not have the id in its own environment.
fn of_run(run: &str, mut command: Command) -> Command {
    command
        .env("NEXTEST", "1")
        .env("NEXTEST_EXECUTION_MODE", "process-per-test")
        .env("NEXTEST_TEST_GLOBAL_SLOT", "0")
        .env("NEXTEST_RUN_ID", format!("{run}-{}", std::process::id()));
    command
}

/// Returns `snowglobe exec` with these words in such a run.
fn in_run(run: &str, words: &[&str]) -> Command {
    of_run(run, exec(words))
}

/// Runs a script of `sh` in such a run.
fn shell(run: &str, script: &str) -> String {
    let output = in_run(run, &["--", "sh", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    stdout(&output)
}

/// What tells outer sandboxes apart: the filesystem at /dev, and the moment when it was made.
const SANDBOX: &str = "stat -c '%d %z' /dev";

#[test]
fn wrappers_of_a_run_share_a_sandbox_and_those_of_another_do_not() {
    let first = shell("one", SANDBOX);
    assert_eq!(shell("one", SANDBOX), first);
    assert_ne!(shell("another", SANDBOX), first);
}

#[test]
fn each_program_has_its_own_files_and_surroundings() {
    let script = "ls /tmp/x /dev/shm/x 2>/dev/null; touch /tmp/x /dev/shm/x; hostname; ulimit -n; pwd; echo $MARK";
    let run = |prepare: &str, mark: &str| {
        // The words are split by the shell that prepares the surroundings.
        let wrapper = env!("CARGO_BIN_EXE_snowglobe");
        let line = format!("{prepare}; exec {wrapper} exec -- sh -c '{script}'");
        let mut command = Command::new("sh");
        command.args(["-c", &line]).env("MARK", mark);
        stdout(&of_run("own", command).output().unwrap())
    };
    let first = run("ulimit -n 200; cd /usr", "one");
    assert_eq!(first, "sh\n200\n/usr\none\n");
    assert_eq!(run("ulimit -n 100; cd /etc", "two"), "sh\n100\n/etc\ntwo\n");
}

#[test]
fn ends_are_the_programs_and_survivors_are_named_and_killed() {
    let run = |script| {
        in_run("ends", &["--", "sh", "-c", script])
            .output()
            .unwrap()
    };
    assert_eq!(run("exit 7").status.code(), Some(7));
    let killed = std::os::unix::process::ExitStatusExt::signal(&run("kill -SEGV $$").status);
    assert_eq!(killed, Some(Signal::SIGSEGV as i32));
    // The pipe has no writer left when the survivor is gone, and the read ends.
    let output = run("sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; exit 3");
    assert_eq!(output.status.code(), Some(3));
    says(&stderr(&output), &["left running, and killed: sleep (pid "]);
    let words = ["--timeout", "4s", "--", "sh", "-c", "sleep 1000; true"];
    let output = in_run("ends", &words).output().unwrap();
    assert_eq!(output.status.code(), Some(124));
    says(
        &stderr(&output),
        &["timed out after 4s", "what hangs:", "sleep"],
    );
}

#[test]
fn a_wrapper_that_is_killed_takes_its_program_along_and_leaves_the_others_alone() {
    let start = || {
        let mut child = in_run("killed", &["--", "sh", "-c", "echo ready; read x; exit 5"]);
        let child = child.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 6]).unwrap();
        (child, stdout)
    };
    let ((mut one, mut from_one), (mut other, _from_other)) = (start(), start());
    kill(pid(&one), Signal::SIGKILL).unwrap();
    // The pipe ends when nobody has it any more.
    assert_eq!(from_one.read(&mut [0]).unwrap(), 0);
    assert!(!one.wait().unwrap().success());
    drop(other.stdin.take());
    assert_eq!(other.wait().unwrap().code(), Some(5));
}
