//! Ctrl-C, SIGTERM, SIGTSTP and SIGKILL each reach the whole run.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2, write};
use snowglobe::prelude::*;
use snowglobe_tests::{this_program, wait_for_file, wait_until};
use tempfile::TempDir;

/// A run of one sample that waits, which has begun to.
struct Waiting {
    child: Child,
    _dir: TempDir,
}

impl Waiting {
    fn start() -> Self {
        let dir = snowglobe_tests::shared_dir();
        let child = this_program()
            .args(["--exact", "samples::waits_long", "--ignored"])
            .env("SAMPLE_DIR", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        assert!(wait_for_file(&dir.path().join("started")));
        Self { child, _dir: dir }
    }

    fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    fn stdout(&mut self) -> String {
        let mut text = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }
}

/// Returns the processes in this PID namespace, without its init, this one and the dead.
fn others() -> Vec<String> {
    let me = std::process::id();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != 1 && *pid != me)
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok())
        .filter(|stat| !stat.contains(") Z "))
        .collect()
}

#[snowglobe::test(nested)]
fn an_interrupt_ends_the_run_with_a_summary() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut run = Waiting::start();
        run.send(signal);
        let stdout = run.stdout();
        assert_eq!(run.child.wait().unwrap().code(), Some(128 + signal as i32));
        assert!(
            stdout.contains(&format!("interrupted by {} (signal", signal.as_str())),
            "{stdout}"
        );
        assert!(stdout.contains("test result: FAILED."), "{stdout}");
    }
}

#[snowglobe::test(nested)]
fn a_second_interrupt_is_immediate() {
    second_interrupt(Stdio::null());
}

/// Nobody waits for a pager that shows another part of the report.
#[snowglobe::test(nested)]
fn a_second_interrupt_is_immediate_where_nobody_reads_the_report() -> TestResult {
    let (_reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    let size = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096))?;
    write(&writer, &vec![b'.'; size as usize])?;
    second_interrupt(writer.into());
    Ok(())
}

fn second_interrupt(stdout: Stdio) {
    let dir = snowglobe_tests::shared_dir();
    let mut child = this_program()
        .args(["--exact", "samples::ignores_interrupts", "--ignored"])
        .env("SAMPLE_DIR", dir.path())
        // The first signal grants 10 s, here 1000 s: longer than this test may take.
        .env("SNOWGLOBE_TIME_SCALE", "100")
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(wait_for_file(&dir.path().join("started")));
    let pid = Pid::from_raw(child.id() as i32);
    kill(pid, Signal::SIGINT).unwrap();
    // The runner prints a line when it has noticed the first signal.
    let mut notice = [0; 8];
    child
        .stderr
        .as_mut()
        .unwrap()
        .read_exact(&mut notice)
        .unwrap();
    assert_eq!(child.try_wait().unwrap(), None, "the trial has some time");
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(
        wait_until(Duration::from_secs(10), || others().is_empty()),
        "{:?}",
        others()
    );
}

#[snowglobe::test(nested)]
fn a_stopped_run_stops_its_trials_and_their_clocks() {
    let mut run = Waiting::start();
    run.send(Signal::SIGTSTP);
    let stopped = |line: &String| line.contains(") T ");
    // The supervisor is stopped, and the test body with it; zygotes and inits wait for orders.
    let all = || others().iter().filter(|line| stopped(line)).count() >= 2;
    assert!(wait_until(Duration::from_secs(10), all), "{:#?}", others());
    run.send(Signal::SIGCONT);
    let none = || !others().iter().any(stopped);
    assert!(wait_until(Duration::from_secs(10), none), "{:#?}", others());
    run.send(Signal::SIGINT);
    assert_eq!(run.child.wait().unwrap().code(), Some(130));
}

#[snowglobe::test(nested)]
fn a_killed_run_leaves_no_process() {
    for _ in 0..5 {
        let mut run = Waiting::start();
        assert!(
            others().len() >= 3,
            "supervisor, zygote, init, body: {:#?}",
            others()
        );
        run.send(Signal::SIGKILL);
        assert_eq!(run.child.wait().unwrap().signal(), Some(9));
        assert!(
            wait_until(Duration::from_secs(10), || others().is_empty()),
            "{:#?}",
            others()
        );
    }
}

#[snowglobe::test(nested)]
fn the_terminals_signals_do_not_reach_trials_directly() {
    let mut run = Waiting::start();
    let groups = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .nth(2)
            .unwrap()
            .to_owned()
    };
    let ours = groups(run.child.id());
    let bodies: Vec<String> = others()
        .into_iter()
        .filter(|s| s.rsplit(')').next().unwrap().split_whitespace().nth(2) != Some(&ours))
        .collect();
    assert!(!bodies.is_empty(), "{:#?}", others());
    run.child.kill().unwrap();
    run.child.wait().unwrap();
}

/// The run has blocked the signals, and reads none of them yet. It would wait for longer than the
/// test may take.
#[snowglobe::test(nested, timeout = "50s")]
fn an_interrupt_ends_the_wait_for_a_sandbox() {
    std::fs::write("/proc/sys/user/max_user_namespaces", "1").unwrap();
    let mut holder = Command::new("unshare")
        .args(["-U", "cat"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/user"));
    let own = namespace("self").unwrap();
    let holds = || namespace(&holder.id().to_string()).is_ok_and(|its| its != own);
    assert!(wait_until(Duration::from_secs(20), holds));
    let mut child = this_program()
        .args(["--exact", "samples::passes", "--ignored"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("a limit on namespaces is reached"), "{line}");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let end = child.wait().unwrap();
    // The signal ends the run as soon as it is not blocked any more, or the run ends before.
    let by_signal = end.signal() == Some(Signal::SIGINT as i32);
    assert!(by_signal || end.code() == Some(71), "{end}");
    drop(holder.stdin.take());
    holder.wait().unwrap();
}
