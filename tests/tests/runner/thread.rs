//! The thread on which a test runs is the only one of its process, and like any other.

use std::sync::{Arc, Barrier};
use std::thread;

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::{Pid, getgid, getuid, setgid, setuid};
use snowglobe::TestResult;
use snowglobe_tests::{finished, sample, this_program};

#[snowglobe::test]
fn it_bears_the_tests_name_and_is_the_processs_first() {
    assert_eq!(
        thread::current().name(),
        Some("thread::it_bears_the_tests_name_and_is_the_processs_first")
    );
    assert_eq!(nix::unistd::gettid(), Pid::this());
    assert_eq!(std::fs::read_dir("/proc/self/task").unwrap().count(), 1);
}

#[snowglobe::test]
fn it_knows_which_processor_it_is_on() -> TestResult {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    for cpu in (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)) {
        let mut only = CpuSet::new();
        only.set(cpu)?;
        sched_setaffinity(Pid::from_raw(0), &only)?;
        assert_eq!(sched_getcpu()?, cpu);
    }
    Ok(())
}

#[snowglobe::test]
fn it_has_nothing_open_but_what_it_was_given() -> TestResult {
    let open: Vec<_> = std::fs::read_dir("/proc/self/fd")?
        .map(|entry| std::fs::read_link(entry?.path()))
        .filter_map(Result::ok)
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    let sockets = open.iter().filter(|path| path.starts_with("socket:"));
    assert_eq!(sockets.count(), 1, "one to tell the verdict by: {open:?}");
    Ok(())
}

/// There are so many threads that one probably has the number that the supervisor has outside.
#[snowglobe::test(ignore = "a sample", timeout = "20s")]
fn sets_its_user_among_threads() -> TestResult {
    const THREADS: usize = 60;
    let over = Arc::new(Barrier::new(THREADS + 1));
    for _ in 0..THREADS {
        let over = over.clone();
        thread::spawn(move || over.wait());
    }
    setgid(getgid())?;
    setuid(getuid())?;
    over.wait();
    Ok(())
}

#[snowglobe::test(nested)]
fn all_threads_change_their_user_together() {
    sample("thread::sets_its_user_among_threads").passed_with(&["1 passed"]);
}

#[snowglobe::test(nested)]
fn a_small_stack_is_enough_for_what_is_not_the_tests() {
    let mut command = this_program();
    command.args(["--exact", "samples::passes", "--ignored"]);
    let run = finished(command.env("RUST_MIN_STACK", "4096").output().unwrap());
    run.passed_with(&["1 passed"]);
}
