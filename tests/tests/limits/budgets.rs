//! What the kernel counts for a user or for the whole host, and trials share: a trial must not fail
//! because of its neighbours.

use std::process::{Child, Command, Stdio};
use std::thread;

use snowglobe::prelude::*;
use snowglobe_tests::{finished, sample, shared_dir, this_program, wait_until};

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

mod samples {
    use super::*;

    /// Returns whether the kernel had this number of inotify instances. They stay.
    #[expect(
        unsafe_code,
        reason = "an instance that no program has is made by a call alone"
    )]
    fn makes_inotify_instances(number: usize) -> TestResult {
        for _ in 0..number {
            // SAFETY: no pointer is passed.
            nix::errno::Errno::result(unsafe { nix::libc::inotify_init1(0) })?;
        }
        Ok(())
    }

    #[snowglobe::test(ignore = "a sample")]
    fn wants_more_inotify_instances_than_a_user_may_have() -> TestResult {
        let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_instances")?;
        makes_inotify_instances(limit.trim().parse::<usize>()? + 1)
    }

    #[snowglobe::test(ignore = "a sample")]
    fn wants_more_inotify_instances_than_it_permits_itself() -> TestResult {
        std::fs::write("/proc/sys/user/max_inotify_instances", "3")?;
        makes_inotify_instances(4)
    }

    #[snowglobe::test(ignore = "a sample")]
    fn fails_for_another_reason() -> TestResult {
        let lab = shape::pair().start()?;
        makes_inotify_instances(1)?;
        drop(lab);
        Err("another reason".into())
    }

    /// Asks for the MAC addresses of nobody.
    #[snowglobe::test(ignore = "a sample")]
    fn wants_more_neighbours_than_there_may_be() -> TestResult {
        let limit = std::fs::read_to_string("/proc/sys/net/ipv4/neigh/default/gc_thresh3");
        // Without the file, which network namespaces but the first lack, the usual number.
        let limit = limit.map_or(Ok(1024), |text| text.trim().parse::<u32>())?;
        let lab = shape::pair().start()?;
        let alice = lab.node("alice").ok_or("alice")?;
        let ip = Fixture::find("iproute2")?.command("ip")?;
        let route = ["route", "add", "10.200.0.0/14", "dev", "eth0"];
        assert!(
            alice
                .command_like(&ip)
                .args(route)
                .output()?
                .status
                .success()
        );
        // A datagram waits for the address, and a socket has room for some only.
        let numbers: Vec<u32> = (0..limit + 256).collect();
        for numbers in numbers.chunks(64) {
            let socket = alice.run(|| UdpSocket::bind("0.0.0.0:0"))?;
            for number in numbers {
                let nobody = Ipv4Addr::from_bits(u32::from_be_bytes([10, 200, 0, 1]) + number);
                // There is no room for some of the addresses.
                let _ = socket.send_to(b"x", (nobody, 9));
            }
        }
        Err("some neighbour was not found".into())
    }
}

#[snowglobe::test(nested, exclusive)]
fn a_failure_without_an_inotify_instance_left_names_the_limit() -> TestResult {
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_instances")?;
    sample("budgets::samples::wants_more_inotify_instances_than_a_user_may_have").failed_with(&[
        "EMFILE",
        &format!("note: when the trial had failed, its user had no inotify instance left: fs.inotify.max_user_instances is {}", limit.trim()),
        "`sudo sysctl -w fs.inotify.max_user_instances=1024`",
    ]);
    sample("budgets::samples::wants_more_inotify_instances_than_it_permits_itself")
        .failed_with(&["EMFILE", "user.max_inotify_instances is 3"]);
    Ok(())
}

#[snowglobe::test(nested, exclusive, fixtures("iproute2"))]
fn a_failure_without_room_for_neighbours_names_the_limit() {
    sample("budgets::samples::wants_more_neighbours_than_there_may_be").failed_with(&[
        "some neighbour was not found",
        "note: while the trial ran, the host had no room for ",
        "net.ipv4.neigh.default.gc_thresh3 is ",
        "`sudo sysctl -w net.ipv4.neigh.default.gc_thresh3=",
        "Neighbours::Fixed",
    ]);
}

#[snowglobe::test(nested, exclusive)]
fn a_failure_with_room_for_everything_names_no_limit() {
    let failed = sample("budgets::samples::fails_for_another_reason");
    failed.failed_with(&["another reason"]);
    for limit in ["max_user_instances", "gc_thresh3"] {
        assert!(!failed.stdout.contains(limit), "{}", failed.stdout);
    }
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

/// Starts four programs, each of which watches a file. `tail` polls where it gets no inotify
/// instance.
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

/// Starts eight nodes on a switch, each of which connects to each other one, by IPv4 and by IPv6.
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
