//! Closures run in nodes, on threads that are kept for the next closure.

use std::path::{Path, PathBuf};
use std::sync::{Barrier, LazyLock, mpsc};
use std::thread;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::gettid;
use snowglobe::prelude::*;

use super::many::status;

/// Number of threads that a lab keeps waiting.
const KEPT: usize = 8;

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Returns the namespaces of a process or thread that a thread can enter. The mounts come last.
fn namespaces(process: &Path) -> Vec<PathBuf> {
    let kinds = ["net", "uts", "ipc", "mnt"].iter();
    kinds
        .map(|kind| std::fs::read_link(process.join("ns").join(kind)).unwrap_or_default())
        .collect()
}

fn thread_dir(tid: nix::unistd::Pid) -> PathBuf {
    PathBuf::from(format!("/proc/self/task/{tid}"))
}

fn shown_as(tid: nix::unistd::Pid) -> String {
    let name = std::fs::read_to_string(thread_dir(tid).join("comm"));
    name.unwrap_or_default().trim().to_owned()
}

#[snowglobe::test]
fn a_closure_is_in_the_nodes_namespaces_and_its_thread_comes_back() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let of_node = namespaces(&PathBuf::from(format!(
        "/proc/{}",
        alice.pid().ok_or("pid")?
    )));
    let home = namespaces(Path::new("/proc/thread-self"));
    for _ in 0..3 {
        let (tell, told) = mpsc::channel();
        let (go_on, wait) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let visit = move || {
                tell.send(gettid()).expect("somebody waits for it");
                let _ = wait.recv();
            };
            scope.spawn(|| alice.run(visit));
            let tid = told.recv()?;
            // A visitor has the mounts of the node, but for /proc.
            let of_visitor = namespaces(&thread_dir(tid));
            assert_eq!(of_visitor[..3], of_node[..3]);
            assert!(of_visitor[3] != home[3], "{of_visitor:?}");
            assert_eq!(shown_as(tid), "alice");
            drop(go_on);
            Ok::<(), mpsc::RecvError>(())
        })?;
        let tid = alice.run(gettid);
        assert_eq!(namespaces(&thread_dir(tid)), home, "it waits at home");
        assert_eq!(shown_as(tid), "idle");
    }
    assert!(home.iter().zip(&of_node).all(|(home, node)| home != node));
    Ok(())
}

#[snowglobe::test]
fn a_thread_that_has_been_in_a_node_goes_there_again() -> TestResult {
    let lab = shape::pair().start()?;
    let [alice, bob] = [lab.node("alice"), lab.node("bob")];
    let (alice, bob) = (alice.ok_or("alice")?, bob.ok_or("bob")?);
    let first = alice.run(gettid);
    for _ in 0..10 {
        assert_ne!(bob.run(gettid), first);
        assert_eq!(alice.run(gettid), first);
        let name = alice.run(|| thread::current().name().map(ToOwned::to_owned));
        assert_eq!(name.as_deref(), Some("alice"));
    }
    drop(lab);
    assert_eq!(status("Threads:"), 1, "besides the test's own");
    Ok(())
}

#[snowglobe::test]
fn a_visit_within_a_visit_ends_where_it_began() -> TestResult {
    let lab = shape::star(3).start()?;
    let nodes: Vec<_> = lab.nodes().collect();
    for _ in 0..3 {
        let seen = nodes[0].run(|| {
            let inner = nodes[1].run(|| (hostname(), nodes[2].run(hostname), hostname()));
            (hostname(), inner, nodes[0].run(hostname))
        });
        let inner = ("n2".to_owned(), "n3".to_owned(), "n2".to_owned());
        assert_eq!(seen, ("n1".to_owned(), inner, "n1".to_owned()));
    }
    Ok(())
}

#[snowglobe::test]
fn many_threads_visit_at_once_and_few_are_kept() -> TestResult {
    const VISITS: usize = 40;
    let lab = shape::star(4).start()?;
    let nodes: Vec<_> = lab.nodes().collect();
    let all_there = Barrier::new(VISITS);
    thread::scope(|scope| {
        let visits: Vec<_> = (0..VISITS)
            .map(|number| {
                let (node, all_there) = (nodes[number % nodes.len()], &all_there);
                scope.spawn(move || {
                    let seen = node.run(|| {
                        all_there.wait();
                        hostname()
                    });
                    assert_eq!(seen, node.name());
                })
            })
            .collect();
        visits
            .into_iter()
            .for_each(|visit| visit.join().expect("it was there"));
    });
    lab.wait_until(|| status("Threads:") <= 1 + KEPT)?;
    drop(nodes);
    drop(lab);
    assert_eq!(status("Threads:"), 1, "besides the test's own");
    Ok(())
}

#[snowglobe::test]
fn however_many_nodes_are_visited_few_threads_wait() -> TestResult {
    let lab = shape::star(3 * KEPT).start()?;
    for node in lab.nodes() {
        assert_eq!(node.run(hostname), node.name());
        assert!(status("Threads:") <= 1 + KEPT, "{}", node.name());
    }
    Ok(())
}

#[snowglobe::test]
fn a_thread_that_waits_does_not_outlive_the_crash_of_its_node() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    alice.run(|| std::fs::write("/tmp/mine", "before"))?;
    alice.crash()?;
    let error = alice
        .try_run(hostname)
        .err()
        .ok_or("a dead node was visited")?;
    assert!(error.to_string().contains("crashed"), "{error}");
    alice.restart()?;
    assert_eq!(alice.run(hostname), "alice");
    assert!(
        !alice.run(|| Path::new("/tmp/mine").exists()),
        "an old /tmp"
    );
    alice.restart()?;
    assert_eq!(alice.run(hostname), "alice");
    Ok(())
}

#[snowglobe::test]
fn a_panic_in_a_node_is_the_callers_and_the_node_goes_on() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    for round in 0..3 {
        let visit = || alice.run(|| panic!("boom {round}"));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(visit));
        let payload = caught.err().ok_or("no panic")?;
        assert_eq!(payload.downcast_ref(), Some(&format!("boom {round}")));
        assert_eq!(alice.run(hostname), "alice");
    }
    drop(lab);
    assert_eq!(status("Threads:"), 1, "besides the test's own");
    Ok(())
}

#[snowglobe::test]
fn a_visit_finds_nothing_of_what_another_did_to_its_thread() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let here = std::env::current_dir()?;
    let state = || {
        (
            umask_now(),
            std::env::current_dir().ok(),
            blocks_usr2(),
            cpus(),
        )
    };
    let before = alice.run(state);
    alice.run(|| {
        umask(Mode::S_IRWXO);
        std::env::set_current_dir("/etc").expect("every node has it");
    });
    assert_eq!(alice.run(state), before);
    alice.run(|| usr2().thread_block().expect("any signal can be blocked"));
    assert_eq!(alice.run(state), before);
    alice.run(|| {
        let mut one = nix::sched::CpuSet::new();
        let first = (0..).find(|cpu| cpus().is_set(*cpu) == Ok(true));
        one.set(first.expect("it runs somewhere")).expect("a core");
        nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &one).expect("its own core");
    });
    assert_eq!(alice.run(state), before);
    assert_eq!(std::env::current_dir()?, here);
    Ok(())
}

#[snowglobe::test]
fn a_visit_has_the_umask_and_the_signal_mask_of_whoever_asks() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    alice.run(|| ());
    for mask in [Mode::S_IRWXO, Mode::empty(), Mode::S_IWGRP] {
        let before = umask(mask);
        let seen = alice.run(umask_now);
        umask(before);
        assert_eq!(seen, mask);
    }
    usr2().thread_block()?;
    assert!(alice.run(blocks_usr2));
    usr2().thread_unblock()?;
    assert!(!alice.run(blocks_usr2));
    Ok(())
}

fn umask_now() -> Mode {
    let found = umask(Mode::empty());
    umask(found);
    found
}

fn usr2() -> SigSet {
    [Signal::SIGUSR2].into_iter().collect()
}

fn blocks_usr2() -> bool {
    SigSet::thread_get_mask().is_ok_and(|mask| mask.contains(Signal::SIGUSR2))
}

fn cpus() -> nix::sched::CpuSet {
    nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap_or_default()
}

/// Asks the one worker of this process, which is started by whoever asks first, for its hostname.
fn hostname_of_the_global_worker() -> Option<String> {
    type Orders = mpsc::Sender<mpsc::Sender<String>>;
    static WORKER: LazyLock<Orders> = LazyLock::new(|| {
        let (orders, ordered) = mpsc::channel::<mpsc::Sender<String>>();
        thread::spawn(move || {
            ordered
                .iter()
                .for_each(|answer| drop(answer.send(hostname())))
        });
        orders
    });
    let (answer, answered) = mpsc::channel();
    WORKER.send(answer).ok()?;
    answered.recv().ok()
}

#[snowglobe::test]
fn a_global_worker_stays_in_the_node_that_used_it_first() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    for seen in [
        alice.run(hostname_of_the_global_worker),
        bob.run(hostname_of_the_global_worker),
        hostname_of_the_global_worker(),
    ] {
        assert_eq!(seen.as_deref(), Some("alice"));
    }
    Ok(())
}
