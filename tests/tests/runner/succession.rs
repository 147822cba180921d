//! Trials that run in the same place, one after the other, must know nothing of each other.

use std::cell::Cell;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use snowglobe::TestResult;
use snowglobe_tests::{Run, finished, run, this_program};

/// Runs the samples whose names begin so, one at a time, in the order of their names.
fn one_by_one(names: &str) -> Run {
    let names = format!("succession::{names}");
    run(&["--test-threads", "1", "--include-ignored", &names])
}

static KNOWN: AtomicBool = AtomicBool::new(false);

thread_local! {
    static KNOWN_HERE: Cell<bool> = const { Cell::new(false) };
}

#[snowglobe::test(ignore = "a sample")]
fn memory_1() {
    remember();
}

#[snowglobe::test(ignore = "a sample")]
fn memory_2() {
    remember();
}

fn remember() {
    assert!(
        !KNOWN.swap(true, Ordering::Relaxed),
        "a static is as it was left"
    );
    assert!(
        !KNOWN_HERE.replace(true),
        "a thread's value is as it was left"
    );
}

#[snowglobe::test(nested)]
fn values_are_as_they_were_before_the_first_trial() {
    one_by_one("memory_").passed_with(&["2 passed"]);
}

#[snowglobe::test(ignore = "a sample")]
fn pipe_1_does_not_block() -> TestResult {
    Ok(fcntl(std::io::stdout(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop)?)
}

#[snowglobe::test(ignore = "a sample")]
fn pipe_2_blocks() -> TestResult {
    let flags = OFlag::from_bits_retain(fcntl(std::io::stdout(), FcntlArg::F_GETFL)?);
    assert!(!flags.contains(OFlag::O_NONBLOCK), "{flags:?}");
    Ok(())
}

#[snowglobe::test(nested)]
fn stdout_blocks_whatever_another_has_made_of_it() {
    one_by_one("pipe_").passed_with(&["2 passed"]);
}

#[snowglobe::test(ignore = "a sample")]
fn writer_1_goes_on() -> TestResult {
    let script = "echo > /tmp/going; exec yes late";
    Command::new("sh").args(["-c", script]).spawn()?;
    assert!(snowglobe_tests::wait_for_file(Path::new("/tmp/going")));
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn writer_2_fails() {
    panic!("to show what was written");
}

#[snowglobe::test(nested)]
fn who_outlives_a_trial_does_not_write_for_the_next() {
    // The mistake would show in one of a few runs, in the moment between the verdict and the
    // trial's end.
    for _ in 0..15 {
        let run = one_by_one("writer_");
        run.failed_with(&["to show what was written", "1 passed; 1 failed"]);
        assert!(!run.stdout.contains("late"), "{run:#?}");
    }
}

#[snowglobe::test(ignore = "a sample", timeout = "1s")]
fn killed_1_hangs() {
    std::thread::sleep(Duration::from_secs(100));
}

#[snowglobe::test(ignore = "a sample")]
fn killed_2_passes() {
    println!("alive");
}

#[snowglobe::test(nested)]
fn after_one_that_had_to_be_killed_the_next_runs_as_ever() {
    one_by_one("killed_").failed_with(&["timed out after 1s", "1 passed; 1 failed"]);
}

#[snowglobe::test(
    ignore = "a sample",
    timeout = "1s",
    isolation(user, net, mnt, uts, ipc)
)]
fn without_pids_1_hangs() {
    std::thread::sleep(Duration::from_secs(100));
}

#[snowglobe::test(ignore = "a sample")]
fn without_pids_2_passes() {}

#[snowglobe::test(nested)]
fn one_without_a_pid_namespace_is_killed_as_well() {
    one_by_one("without_pids_").failed_with(&["timed out after 1s", "1 passed; 1 failed"]);
}

#[snowglobe::test(ignore = "a sample")]
fn hosts_1_spoils_the_file() -> TestResult {
    std::fs::write("/etc/hosts", "192.0.2.9 spoilt\n".repeat(100))?;
    std::fs::set_permissions("/etc/hosts", Permissions::from_mode(0o600))?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn hosts_2_finds_its_own() -> TestResult {
    let hosts = std::fs::read_to_string("/etc/hosts")?;
    let own = "127.0.0.1 succession-hosts-2-finds-its-own\n";
    assert!(hosts.starts_with(own), "{hosts}");
    assert!(!hosts.contains("spoilt"), "{hosts}");
    let mode = std::fs::metadata("/etc/hosts")?.permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    Ok(())
}

#[snowglobe::test(ignore = "a sample", isolation(user, net, pid, uts, ipc))]
fn hosts_3_shares_mounts_and_has_the_hosts_file() -> TestResult {
    let hosts = std::fs::read_to_string("/etc/hosts")?;
    assert!(!hosts.contains("succession-hosts"), "{hosts}");
    Ok(())
}

#[snowglobe::test(nested)]
fn each_has_a_hosts_file_of_its_own() {
    one_by_one("hosts_").passed_with(&["3 passed"]);
}

#[snowglobe::test(ignore = "a sample", timeout = "5s")]
fn stdout_is_held_for_ever() {
    let (held, holds) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut stdout = std::io::stdout().lock();
        let _ = write!(stdout, "held");
        held.send(()).unwrap();
        std::thread::park();
        drop(stdout);
    });
    holds.recv().unwrap();
}

#[snowglobe::test(ignore = "a sample")]
fn line_is_not_ended() {
    print!("so far");
}

#[snowglobe::test(nested)]
fn the_end_writes_what_is_left_and_does_not_wait_for_threads() {
    one_by_one("stdout_is_held").passed_with(&["1 passed"]);
    let line = "succession::line_is_not_ended";
    let run = run(&["--nocapture", "--include-ignored", "--exact", line]);
    run.passed_with(&["so far", "1 passed"]);
}

#[snowglobe::test(ignore = "a sample")]
fn stack_is_deep() {
    fn deeper(n: u64) -> u64 {
        let room = std::hint::black_box([n; 512]);
        if n == 0 { 0 } else { deeper(n - 1) + room[0] }
    }
    // Each frame has four kilobytes.
    assert_eq!(deeper(5_000), 5_000 * 5_001 / 2);
}

#[snowglobe::test(nested)]
fn the_stack_is_as_large_as_rust_min_stack_says() {
    let deep = |stack: &str| {
        let mut command = this_program();
        command.args(["--exact", "succession::stack_is_deep", "--ignored"]);
        finished(command.env("RUST_MIN_STACK", stack).output().unwrap())
    };
    deep("67108864").passed_with(&["1 passed"]);
    deep("2097152").failed_with(&["stack overflow"]);
}
