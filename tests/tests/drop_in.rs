//! The same attribute works under the standard harness: this file has no `harness = false`.

use std::net::TcpListener;
use std::process::Command;

use snowglobe::TestResult;

/// A plain test may stand beside trials.
#[test]
fn a_plain_test_runs_here_too() {
    assert_eq!(snowglobe::trial_name(), None);
}

#[snowglobe::test]
fn port_80_is_mine() -> TestResult {
    TcpListener::bind("0.0.0.0:80")?;
    assert_eq!(std::os::unix::process::parent_id(), 1);
    assert_eq!(snowglobe::trial_name(), Some("port_80_is_mine"));
    Ok(())
}

/// Functions that the loader calls before `main`: what `ctor`, `inventory` and the statics of C++
/// compile to.
mod constructors {
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Numbers of the constructors that have run, as decimal digits.
    static SEEN: AtomicU32 = AtomicU32::new(0);

    fn add(digit: u32) {
        let seen = SEEN.load(Ordering::SeqCst);
        SEEN.store(seen * 10 + digit, Ordering::SeqCst);
    }

    extern "C" fn first() {
        add(1);
    }

    extern "C" fn second() {
        add(2);
    }

    /// Starts a thread where a test asks for it.
    extern "C" fn last() {
        add(3);
        if std::env::var_os("SAMPLE_THREAD").is_some() {
            let forever = || loop {
                std::thread::park();
            };
            let thread = std::thread::Builder::new().name("eager".to_owned());
            thread.spawn(forever).unwrap();
        }
    }

    macro_rules! constructor {
        ($name:ident, $section:literal, $function:ident) => {
            #[used]
            #[expect(unsafe_code, reason = "only a section makes a constructor")]
            // SAFETY: the loader calls each function of this section once, on the only thread.
            #[unsafe(link_section = $section)]
            static $name: extern "C" fn() = $function;
        };
    }

    // The order is that of the numbers, and sections without one are last, whatever order the
    // linker finds them in.
    constructor!(LAST, ".init_array", last);
    constructor!(SECOND, ".init_array.65010", second);
    constructor!(FIRST, ".init_array.00200", first);

    #[test]
    fn have_run_before_a_plain_test() {
        assert_eq!(SEEN.load(Ordering::SeqCst), 123);
    }

    #[snowglobe::test]
    fn have_run_before_a_trial() {
        assert_eq!(SEEN.load(Ordering::SeqCst), 123);
    }

    #[test]
    fn may_start_a_thread_under_the_standard_harness() {
        let mut program = snowglobe_tests::this_program();
        program.args(["--exact", "constructors::have_run_before_a_trial"]);
        let run = program.env("SAMPLE_THREAD", "1").output().unwrap();
        snowglobe_tests::finished(run).passed_with(&["1 passed"]);
    }
}

/// Tests that start their own program again.
mod children {
    include!("shared/children.rs");
}

mod inner {
    #[snowglobe::test]
    fn port_80_is_mine_as_well() -> std::io::Result<()> {
        std::net::TcpListener::bind("0.0.0.0:80").map(drop)
    }
}

#[snowglobe::test]
async fn async_works() {
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
}

#[snowglobe::test]
#[should_panic(expected = "the right text")]
fn panics_are_expected_where_they_are() {
    panic!("this is the right text");
}

/// Trials that misbehave, run one by one by the tests below.
mod samples {
    use super::TestResult;

    include!("shared/samples.rs");

    /// Shows who root is in the trial, in a node, and in a node with a user of its own.
    #[snowglobe::test(ignore = "a sample")]
    fn is_root_for_a_while() -> TestResult {
        use snowglobe::prelude::*;
        use snowglobe::topology::Users;
        let dir = std::path::PathBuf::from(std::env::var("SAMPLE_DIR")?);
        let mut topology = Topology::new();
        let node = topology.node("node");
        let alone = topology.node(NodeSpec::new("alone").users(Users::One));
        let lab = topology.start()?;
        let script = "[ $(id -u) = 0 ] && touch $1 && exec sleep 1000";
        let _programs = [(node, "node"), (alone, "alone")].map(|(node, name)| {
            let mut command = lab[node].command("sh");
            command
                .args(["-c", script, "sh"])
                .arg(dir.join(name))
                .spawn()
        });
        assert!(nix::unistd::geteuid().is_root());
        std::fs::write(dir.join("trial"), "")?;
        assert!(snowglobe_tests::wait_for_file(&dir.join("over")));
        Ok(())
    }

    #[snowglobe::test(ignore = "a sample", timeout = "2s")]
    fn hangs() {
        std::thread::park();
    }

    #[snowglobe::test(ignore = "a sample")]
    #[expect(clippy::zombie_processes, reason = "what it is about")]
    fn leaves_a_child() {
        std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
    }
}

/// Returns the numbers of a line of a process' status, as the reader's user namespace maps them.
fn status(pid: u32, field: &str) -> Vec<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let numbers = line.unwrap_or_default().split_whitespace();
    numbers.flat_map(str::parse).collect()
}

/// Returns the descendants of a process, without the process.
fn descendants(of: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| status(*pid, "PPid:") == [of])
        .flat_map(|child| [vec![child], descendants(child)].concat())
        .collect()
}

/// The processes are looked at from outside of any sandbox, as no trial can.
#[test]
fn root_inside_is_an_unprivileged_user_outside() {
    let dir = snowglobe_tests::shared_dir();
    let args = ["--exact", "samples::is_root_for_a_while", "--ignored"];
    let mut run = snowglobe_tests::this_program()
        .args(args)
        .env("SAMPLE_DIR", dir.path())
        .spawn()
        .unwrap();
    let started =
        ["trial", "node", "alone"].map(|who| snowglobe_tests::wait_for_file(&dir.path().join(who)));
    let inside = descendants(run.id());
    let seen = inside.into_iter().map(|pid| status(pid, "Uid:"));
    // A process that has ended since it was listed has no ids.
    let seen: Vec<_> = seen.filter(|uids| !uids.is_empty()).collect();
    std::fs::write(dir.path().join("over"), "").unwrap();
    assert!(run.wait().unwrap().success());
    assert_eq!(started, [true; 3]);
    // There are libtest's program started again, two processes of the sandbox, the trial, two nodes
    // and two programs.
    assert!(seen.len() >= 8, "{seen:?}");
    let own = nix::unistd::geteuid();
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    let hosts_root = own.is_root() && snowglobe_tests::ids_in(&map) == u32::MAX;
    let (supervisors, inside): (Vec<_>, Vec<_>) =
        seen.iter().partition(|uids| hosts_root && uids[0] == 0);
    // The supervising program is the host's root; none of the processes that it made is.
    assert!(supervisors.len() <= 1, "{seen:?}");
    for uids in inside {
        let whose = if hosts_root {
            1_500_000_000
        } else {
            own.as_raw()
        };
        assert_eq!(*uids, [whose; 4], "{seen:?}");
    }
}

/// Runs a sample under libtest, and outside of any sandbox, for libtest has none.
fn sample(name: &str) -> snowglobe_tests::Run {
    let args = ["--exact", &format!("samples::{name}"), "--ignored"];
    snowglobe_tests::run(&args)
}

#[test]
fn failures_are_failures_with_the_same_verdicts() {
    for (name, parts) in [
        (
            "panics",
            &["thread 'samples::panics' (", "as it should", "to stdout"][..],
        ),
        (
            "returns_an_error",
            &["No such file or directory", "shared/samples.rs:"],
        ),
        (
            "exits_with_zero",
            &["exited with code 0 before the test had finished"],
        ),
        ("aborts", &["killed by SIGABRT (signal 6)"]),
        (
            "overflows_its_stack",
            &["has overflowed its stack", "SIGABRT"],
        ),
        ("does_not_panic", &["did not panic as expected"]),
        ("hangs", &["timed out after 2s", "hangs here:"]),
    ] {
        sample(name).failed_with(&[&["0 passed; 1 failed"], parts].concat());
    }
}

#[test]
fn survivors_are_told_of() {
    let args = [
        "--exact",
        "samples::leaves_a_child",
        "--ignored",
        "--show-output",
    ];
    snowglobe_tests::run(&args).passed_with(&["left running, and killed:", "(sleep)"]);
}

/// The arguments say `--ignored` behind `--nocapture`: crates that rewrite them pass this.
#[test]
fn an_ignored_trial_that_fails_fails_whatever_the_order_of_arguments() {
    let args = ["--exact", "samples::panics", "--nocapture", "--ignored"];
    assert_eq!(snowglobe_tests::run(&args).code, Some(101));
}

#[test]
fn a_trial_that_was_never_registered_is_an_error() {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .env("SNOWGLOBE_TRIAL_PATH", "drop_in::nowhere")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("`drop_in::nowhere` was never registered"),
        "{error}"
    );
}
