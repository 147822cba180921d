//! The limit of open files: raised for trials, and as it was for the programs that they start.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use snowglobe::prelude::*;
use snowglobe_tests::{Run, finished, this_program};

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
        run.failed_with(&["EMFILE", &files, "RLIMIT_NOFILE", "prlimit --pid $$"]);
    }
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
