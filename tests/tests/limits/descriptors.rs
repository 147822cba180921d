//! The limit of open files: raised for trials, and as it was for the programs that they start.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use snowglobe::fault::Fault;
use snowglobe::prelude::*;
use snowglobe_tests::{Run, finished, this_program, wait_until};

/// Runs a sample of this program as for a user with these limits of open files, soft and hard.
fn with_limits(soft: u64, hard: u64, sample: &str) -> Run {
    let mut command = Command::new("prlimit");
    let program = this_program();
    command.arg(format!("--nofile={soft}:{hard}"));
    command.arg(program.get_program());
    for (key, _) in program.get_envs().filter(|(_, value)| value.is_none()) {
        command.env_remove(key);
    }
    command.args(["--exact", sample, "--ignored", "--color", "never"]);
    finished(command.output().unwrap())
}

#[snowglobe::test(nested)]
fn a_trial_opens_more_files_than_a_login_has_by_default() {
    let run = with_limits(1024, 4096, "descriptors::opens_two_thousand_files");
    run.passed_with(&["1 passed"]);
}

#[snowglobe::test(nested)]
fn programs_get_the_soft_limit_of_the_user_back() {
    let run = with_limits(500, 4096, "descriptors::programs_have_a_limit_of_500");
    run.passed_with(&["1 passed"]);
}

#[snowglobe::test(nested)]
fn a_limit_that_the_test_has_set_itself_is_handed_on() {
    let run = with_limits(
        500,
        4096,
        "descriptors::programs_inherit_what_the_test_sets",
    );
    run.passed_with(&["1 passed"]);
}

#[snowglobe::test(nested, timeout = "120s")]
fn a_lab_of_four_hundred_nodes_starts_with_a_soft_limit_of_300() {
    let run = with_limits(300, 4096, "descriptors::four_hundred_nodes_listen");
    run.passed_with(&["1 passed"]);
}

/// What cannot be done within the hard limit says which limit that is, and what to do.
#[snowglobe::test(nested)]
fn a_lab_beyond_the_hard_limit_names_limit_value_and_remedy() {
    let run = with_limits(300, 300, "descriptors::four_hundred_nodes_listen");
    run.failed_with(&[
        "1200 descriptors",
        "300",
        "RLIMIT_NOFILE",
        "prlimit --pid $$",
    ]);
}

/// A start opens, makes and receives descriptors in turns. Wherever the limit is met, the error
/// names it, and nobody waits for what never comes.
#[snowglobe::test(nested, timeout = "120s")]
fn a_lab_that_comes_to_the_hard_limit_later_names_it_too() {
    for limit in 190..202 {
        let run = with_limits(limit, limit, "descriptors::sixty_nodes_beside_many_files");
        let files = format!("{limit} files");
        // EMFILE, or ETOOMANYREFS for those that were under way.
        run.failed_with(&[&files, "RLIMIT_NOFILE", "prlimit --pid $$"]);
    }
}

/// A program that was started, and whose descriptor then finds no room, would run without a handle.
#[snowglobe::test(nested, timeout = "120s")]
fn a_program_that_is_said_not_to_run_does_not_run() {
    let run = with_limits(
        500,
        500,
        "descriptors::programs_beside_a_limit_that_comes_and_goes",
    );
    run.passed_with(&["1 passed"]);
}

/// A program that has ended holds nothing, and the next has another label all the same.
#[snowglobe::test(nested, timeout = "120s")]
fn a_node_runs_more_programs_one_after_the_other_than_there_may_be_files() {
    let run = with_limits(250, 250, "descriptors::four_hundred_programs_in_a_node");
    run.passed_with(&["1 passed"]);
}

#[snowglobe::test(ignore = "a sample")]
fn four_hundred_programs_in_a_node() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    for _ in 0..400 {
        assert!(alice.command("true").status()?.success());
    }
    // One that fails is forgotten once the test has seen how.
    for _ in 0..100 {
        assert!(!alice.command("false").status()?.success());
    }
    Ok(())
}

#[expect(unsafe_code, reason = "nothing safe changes the limit of this process")]
fn set_soft_limit(files: u64) {
    let limit = nix::libc::rlimit {
        rlim_cur: files,
        rlim_max: 500,
    };
    // SAFETY: the kernel reads the structure, which lives across the call.
    let done = unsafe { nix::libc::setrlimit(nix::libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(done, 0);
}

#[snowglobe::test(ignore = "a sample")]
fn programs_beside_a_limit_that_comes_and_goes() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    // What the lab opens once is open by now.
    assert!(alice.command("true").status()?.success());
    for round in 0..150 {
        std::thread::scope(|scope| {
            // While the program starts: often just before its descriptor comes.
            let moment = Instant::now() + Duration::from_micros(25 * round);
            scope.spawn(move || {
                while Instant::now() < moment {
                    std::hint::spin_loop();
                }
                set_soft_limit(3);
            });
            let spawned = alice.command("sleep").arg("1000").spawn();
            if let Ok(mut sleep) = spawned {
                // Its descriptor is at hand, so that nothing is opened.
                let _ = sleep.kill();
            }
        });
        set_soft_limit(500);
    }
    let comms = "for i in /proc/[0-9]*/comm; do cat $i; done 2> /dev/null; true";
    let mut left = String::new();
    let none = wait_until(Duration::from_secs(20), || {
        let output = alice.command("sh").args(["-c", comms]).output();
        let seen = output.map(|it| it.stdout_str());
        left = seen.as_ref().map_or_else(|e| e.to_string(), String::clone);
        seen.is_ok_and(|it| !it.contains("sleep"))
    });
    assert!(none, "{left}");
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn opens_two_thousand_files() -> TestResult {
    let files: Vec<File> = (0..2000)
        .map(|_| File::open("/dev/null"))
        .collect::<Result<_, _>>()?;
    assert_eq!(files.len(), 2000);
    // Every number below the old limit is taken, and the program gets that limit all the same, at
    // the latest when `spawn` returns. It waits for its input until then.
    let mut asked = Command::new("sh")
        .args(["-c", "read line; ulimit -Sn"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    asked.stdin.take().unwrap().write_all(b"go\n")?;
    let told = asked.wait_with_output()?.stdout;
    assert_eq!(String::from_utf8_lossy(&told).trim(), "1024");
    Ok(())
}

/// Returns a command that prints its soft limit of open files.
fn shell() -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn"]);
    shell
}

fn soft_limit_of(command: &mut Command) -> std::io::Result<String> {
    Ok(String::from_utf8_lossy(&command.output()?.stdout)
        .trim()
        .to_owned())
}

#[snowglobe::test(ignore = "a sample")]
fn programs_have_a_limit_of_500() -> TestResult {
    // std uses `posix_spawn` here, and `fork` where a directory, a user or a group is asked for.
    assert_eq!(soft_limit_of(&mut shell())?, "500");
    assert_eq!(soft_limit_of(shell().uid(0))?, "500");
    assert_eq!(soft_limit_of(shell().current_dir("/tmp"))?, "500");
    // Several threads at a time, none of which takes the limit away from another.
    std::thread::scope(|scope| {
        let spawn = || (0..20).map(|_| soft_limit_of(&mut shell()).unwrap());
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(move || spawn().all(|limit| limit == "500")))
            .collect();
        for thread in threads {
            assert!(thread.join().unwrap());
        }
    });
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").unwrap();
    let output = alice.command("sh").args(["-c", "ulimit -Sn"]).output()?;
    assert_eq!(output.stdout_str().trim(), "500");
    assert_eq!(alice.run(|| soft_limit_of(&mut shell()))?, "500");
    // The test itself still has more.
    let files: Vec<File> = (0..600)
        .map(|_| File::open("/dev/null"))
        .collect::<Result<_, _>>()?;
    assert_eq!(files.len(), 600);
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn programs_inherit_what_the_test_sets() -> TestResult {
    let own = std::process::id().to_string();
    let status = Command::new("prlimit")
        .args(["--pid", &own, "--nofile=700:4096"])
        .status()?;
    assert!(status.success());
    assert_eq!(soft_limit_of(&mut shell())?, "700");
    assert_eq!(soft_limit_of(shell().uid(0))?, "700");
    Ok(())
}

/// Who is in the node cannot be told without descriptors, and a daemon may be.
#[snowglobe::test]
fn a_daemon_is_waited_for_where_no_descriptor_is_free() -> TestResult {
    let own = std::process::id().to_string();
    let limit = ["--pid", &own, "--nofile=300:300"];
    assert!(Command::new("prlimit").args(limit).status()?.success());
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let script = "(sleep 1000 > /dev/null 2>&1 &); exit 0";
    let mut parent = alice.command("sh").args(["-c", script]).spawn()?;
    assert!(parent.wait()?.success());
    lab.set_patience(Duration::from_millis(100));
    let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // The directory of the processes can be read, and none of its files.
    assert!(files.pop().is_some());
    let error = parent.wait_for_port(80).unwrap_err();
    drop(files);
    assert!(error.is_timeout(), "{error}");
    Ok(())
}

/// A fault of all processes of a node is refused where the processes cannot be listed, and so is
/// the end of a pause.
#[snowglobe::test]
fn no_process_is_missed_where_no_descriptor_is_free() -> TestResult {
    let own = std::process::id().to_string();
    let limit = ["--pid", &own, "--nofile=300:300"];
    assert!(Command::new("prlimit").args(limit).status()?.success());
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let _sleep = alice.command("sleep").arg("1000").spawn()?;
    let _shell = alice.command("sh").args(["-c", "sleep 1000"]).spawn()?;
    let held = lab.inject(Fault::pause_program("alice", "sh"))?;
    alice.pause()?;
    let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(files.pop().is_some());
    let limited = lab.inject(Fault::descriptors("alice", 8));
    let resumed = alice.resume();
    drop(files);
    for error in [limited.unwrap_err(), resumed.unwrap_err()] {
        let error = error.to_string();
        assert!(
            error.contains("list the processes of node `alice`"),
            "{error}"
        );
        assert!(error.contains("RLIMIT_NOFILE"), "{error}");
    }
    alice.resume()?;
    lab.inject(Fault::descriptors("alice", 8))?.heal()?;
    held.heal()?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn four_hundred_nodes_listen() -> TestResult {
    let lab = shape::star(400).start()?;
    let listeners = lab
        .nodes()
        .map(|node| node.run(|| TcpListener::bind("0.0.0.0:80")))
        .collect::<Result<Vec<_>, _>>()?;
    let first = lab.nodes().next().unwrap();
    let last = SocketAddr::new(lab.nodes().last().unwrap().ip(), 80);
    first.run(|| TcpStream::connect(last))?;
    assert_eq!(listeners.len(), 400);
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn sixty_nodes_beside_many_files() -> TestResult {
    let _files: Vec<File> = (0..100)
        .map(|_| File::open("/dev/null"))
        .collect::<Result<_, _>>()?;
    shape::star(60).start()?;
    Ok(())
}
