//! The death of a server is told however the test ends, and whoever has started the server; and a
//! process that the test has forked ends nothing of the lab.

use std::time::Instant;

use nix::sys::wait::waitpid;
use nix::unistd::ForkResult;
use snowglobe::fault::Fault;
use snowglobe::lab::Process;
use snowglobe::prelude::*;
use snowglobe_tests::sample;

/// Runs a script in `bob`, and waits until the lab has heard of its end.
fn dead(lab: &Lab, script: &str) -> TestResult<Process> {
    let bob = lab.node("bob").ok_or("bob")?;
    let mut events = lab.events();
    let server = bob.command("sh").args(["-c", script]).spawn()?;
    events.wait_for("the end", |event| event.to_string().contains("exited"))?;
    Ok(server)
}

const DIES: &str = "echo out of ink >&2; exit 7";

#[snowglobe::test(ignore = "a sample", timeout = "2s")]
fn sample_that_hangs_since_its_server_has_died() -> TestResult {
    let lab = shape::pair().start()?;
    let _server = dead(&lab, DIES)?;
    loop {
        std::thread::park();
    }
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_exits_since_its_server_has_died() -> TestResult {
    let lab = shape::pair().start()?;
    let _server = dead(&lab, DIES)?;
    std::process::exit(3)
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_aborts_since_its_server_has_died() -> TestResult {
    let lab = shape::pair().start()?;
    let _server = dead(&lab, DIES)?;
    std::process::abort()
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_exits_beside_a_server_that_may_die() -> TestResult {
    let lab = shape::pair().start()?;
    let bob = lab.node("bob").ok_or("bob")?;
    let mut events = lab.events();
    let mut server = bob.command("sh");
    let _server = server.args(["-c", DIES]).may_die().spawn()?;
    events.wait_for("the end", |event| event.to_string().contains("exited"))?;
    std::process::exit(3)
}

#[snowglobe::test(nested, timeout = "120s")]
fn the_death_of_a_server_is_told_first_where_the_test_cannot_tell_it() {
    for (name, own) in [
        ("hangs", "timed out after 2s"),
        ("exits", "exited with code 3"),
        ("aborts", "SIGABRT"),
    ] {
        let name = format!("deaths::sample_that_{name}_since_its_server_has_died");
        let run = sample(&name);
        let death = "`bob/sh` exited with code 7";
        run.failed_with(&[death, own, "out of ink"]);
        let (first, second) = (run.stdout.find(death), run.stdout.find(own));
        assert!(first < second, "{}", run.stdout);
    }
    let run = sample("deaths::sample_that_exits_beside_a_server_that_may_die");
    run.failed_with(&["exited with code 3"]);
    assert!(!run.stdout.contains("code 7"), "{}", run.stdout);
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_fails_since_its_server_has_ended_well() -> TestResult {
    let lab = shape::pair().start()?;
    let _server = dead(&lab, "exit 0")?;
    Err("the client was refused")?
}

#[snowglobe::test(ignore = "a sample")]
fn sample_whose_server_has_ended_well() -> TestResult {
    let lab = shape::pair().start()?;
    let _server = dead(&lab, "exit 0")?;
    Ok(())
}

#[snowglobe::test(nested)]
fn a_server_that_has_ended_well_is_named_beside_a_failure() {
    let note = "`bob/sh` exited with code 0 and nobody waited for it";
    let run = sample("deaths::sample_that_fails_since_its_server_has_ended_well");
    run.failed_with(&["the client was refused", note]);
    let run = sample("deaths::sample_whose_server_has_ended_well");
    run.passed_with(&[]);
    assert!(!run.stdout.contains(note), "{}", run.stdout);
}

/// A server that the test starts by std, which no lab knows.
#[snowglobe::test(ignore = "a sample")]
fn sample_that_fails_since_its_own_child_has_died() -> TestResult {
    let child = std::process::Command::new("sh")
        .args(["-c", DIES])
        .spawn()?;
    let stat = format!("/proc/{}/stat", child.id());
    snowglobe_tests::wait_until(Duration::from_secs(20), || {
        // The state follows the name in brackets (proc_pid_stat(5)).
        std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z "))
    });
    Err("the client was refused")?
}

#[snowglobe::test(nested)]
fn the_death_of_a_child_of_the_test_is_told_too() {
    let run = sample("deaths::sample_that_fails_since_its_own_child_has_died");
    let (death, own) = (
        "(`sh`), which the test had started, exited with code 7",
        "the client was refused",
    );
    run.failed_with(&[death, own, "out of ink"]);
    assert!(
        run.stdout.find(death) < run.stdout.find(own),
        "{}",
        run.stdout
    );
}

/// Forks this process, in which the other threads are the library's.
#[expect(unsafe_code, reason = "the tests are about forks")]
fn fork() -> ForkResult {
    // SAFETY: the child drops values and ends.
    unsafe { nix::unistd::fork() }.expect("a fork")
}

/// Waits for a child, which must not hang.
fn await_child(child: ForkResult) -> bool {
    let ForkResult::Parent { child } = child else {
        return false;
    };
    let begin = Instant::now();
    let ended = waitpid(child, None);
    assert!(ended.is_ok() && begin.elapsed() < Duration::from_secs(20));
    true
}

#[snowglobe::test]
fn a_fork_that_returns_ends_nothing_of_the_lab() -> TestResult {
    let lab = shape::pair().start()?;
    let (a, b) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let link = lab.links().next().ok_or("a link")?;
    link.impair(Impairment::delayed(Duration::from_millis(1)))?;
    let program = b.command("sleep").arg("1000").spawn()?;
    let listener = b.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let cut = lab.inject(Fault::cut(link.name()))?;
    if !await_child(fork()) {
        return Ok(());
    }
    let to = SocketAddr::new(b.ip(), 80);
    let short = Duration::from_millis(200);
    let connects = |limit| a.run(|| TcpStream::connect_timeout(&to, limit)).is_ok();
    assert!(!connects(short), "the fault is in force");
    cut.heal()?;
    assert!(connects(Duration::from_secs(20)));
    listener.accept()?;
    assert!(a.command("true").status()?.success());
    assert!(
        b.command("kill")
            .args(["-0", &program.id().to_string()])
            .status()?
            .success()
    );
    Ok(())
}

#[snowglobe::test]
fn a_fork_of_code_in_a_node_ends_with_that_code() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    assert!(alice.run(|| await_child(fork())));
    assert!(alice.run(|| {
        let child = fork();
        if matches!(child, ForkResult::Child) {
            panic!("in the child");
        }
        await_child(child)
    }));
    assert_eq!(alice.run(|| 7), 7);
    Ok(())
}
