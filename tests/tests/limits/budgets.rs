//! What the kernel counts for a user or for the whole host, and trials share: a trial must not fail
//! because of its neighbours.

use std::process::{Child, Command, Stdio};
use std::thread;

use snowglobe::prelude::*;
use snowglobe_tests::{finished, shared_dir, this_program, wait_until};

/// Variable that makes this program have the trials of a budget.
const SAMPLE: &str = "SAMPLE_BUDGET";
/// Variable that names the file at which the trials of a meeting meet.
const MEETING: &str = "SAMPLE_MEETING";
/// Number of trials that are to run at a time, as on a machine of sixteen cores.
const AT_A_TIME: usize = 64;

/// Makes the trials that the tests below run all at a time.
pub(crate) fn trials() -> Vec<Trial> {
    let body: fn() -> TestResult = match std::env::var(SAMPLE).as_deref() {
        Ok("inotify") => watches_four_files,
        Ok("neighbours") => talks_from_everybody_to_everybody,
        Ok("meeting") => waits_for_everybody,
        _ => return Vec::new(),
    };
    let name = |number| format!("budgets::sample_{number}");
    let trial = |number| Trial::test(name(number), body).timeout(Duration::from_secs(300));
    (0..AT_A_TIME).map(trial).collect()
}

fn all_pass(sample: &str) {
    let output = this_program()
        .args(["--test-threads", &AT_A_TIME.to_string(), "budgets::sample_"])
        .env(SAMPLE, sample)
        .output();
    finished(output.unwrap()).passed_with(&["64 passed"]);
}

#[snowglobe::test(nested, exclusive, timeout = "300s")]
fn sixty_four_trials_have_four_inotify_instances_each() {
    all_pass("inotify");
}

#[snowglobe::test(nested, exclusive, timeout = "300s")]
fn sixty_four_labs_of_eight_nodes_talk_at_a_time() {
    all_pass("neighbours");
}

#[snowglobe::test(nested, exclusive, timeout = "300s")]
fn trials_that_wait_for_each_other_run_at_a_time_if_budgets_are_ignored() -> TestResult {
    let dir = shared_dir();
    let meeting = dir.path().join("meeting");
    std::fs::write(&meeting, "")?;
    let output = this_program()
        .args(["--test-threads", &AT_A_TIME.to_string()])
        .args(["--ignore-budgets", "budgets::sample_"])
        .env(SAMPLE, "meeting")
        .env(MEETING, &meeting)
        .output();
    finished(output?).passed_with(&["64 passed"]);
    Ok(())
}

/// Adds a byte to the file of the meeting, and waits until each trial has done so.
fn waits_for_everybody() -> TestResult {
    let meeting = std::env::var_os(MEETING).ok_or("no meeting")?;
    let mut file = std::fs::OpenOptions::new().append(true).open(&meeting)?;
    file.write_all(b"x")?;
    let everybody = || std::fs::metadata(&meeting).is_ok_and(|it| it.len() == AT_A_TIME as u64);
    if wait_until(Duration::from_secs(60), everybody) {
        Ok(())
    } else {
        Err("not everybody came".into())
    }
}

/// Returns whether a process has an inotify instance.
fn watches(process: &Child) -> bool {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", process.id()));
    let mut targets = descriptors.into_iter().flatten().flatten();
    targets
        .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.ends_with("anon_inode:inotify")))
}

/// Four programs, each of which watches a file. `tail` polls where it gets no inotify instance.
fn watches_four_files() -> TestResult {
    std::fs::write("/tmp/log", "")?;
    let mut tails: Vec<Child> = Vec::new();
    for _ in 0..4 {
        let mut tail = Command::new("tail");
        tail.args(["-f", "/tmp/log"]);
        tails.push(tail.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    }
    let all = wait_until(Duration::from_secs(20), || tails.iter().all(watches));
    // The others are to have theirs while this trial has its own.
    thread::sleep(Duration::from_millis(200));
    for tail in &mut tails {
        tail.kill()?;
        tail.wait()?;
    }
    if all {
        Ok(())
    } else {
        Err("a program got no inotify instance".into())
    }
}

/// Eight nodes on a switch; each connects to each other one, by IPv4 and by IPv6.
fn talks_from_everybody_to_everybody() -> TestResult {
    let lab = shape::star(8).start()?;
    let nodes: Vec<_> = lab.nodes().collect();
    let _listeners = nodes
        .iter()
        .map(|node| node.run(|| TcpListener::bind("[::]:80")))
        .collect::<Result<Vec<_>, _>>()?;
    for from in &nodes {
        for to in nodes.iter().filter(|to| to.name() != from.name()) {
            let (v4, v6) = (to.ipv4().map(IpAddr::from), to.ipv6().map(IpAddr::from));
            for ip in [v4, v6].into_iter().flatten() {
                let address = SocketAddr::new(ip, 80);
                from.run(|| TcpStream::connect_timeout(&address, Duration::from_secs(20)))
                    .map_err(|error| format!("{} to {ip}: {error}", from.name()))?;
            }
        }
    }
    // Entries are in the tables for as long as the labs are there.
    thread::sleep(Duration::from_millis(500));
    Ok(())
}
