//! nextest starts the program once for each test. The starts of one run share an outer sandbox, and
//! nothing else; the sandbox goes with nextest.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use snowglobe_tests::{OpenWatch, finished, shared_dir, this_program, wait_for_file, wait_until};

/// Long enough for a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Returns one start of this program as nextest makes it, by the process that plays nextest: that
/// process does not have the id of the run in its own environment.
fn start(name: &str) -> String {
    let program = std::env::current_exe().unwrap();
    format!(
        "env NEXTEST=1 NEXTEST_EXECUTION_MODE=process-per-test NEXTEST_RUN_ID=the-run '{}' --exact {name} --ignored --nocapture",
        program.display()
    )
}

/// Returns a shell that plays nextest.
pub(super) fn nextest(script: &str, dir: &Path) -> Command {
    // The environment of `this_program`, without the settings of this test's own start.
    let clean = this_program();
    let mut shell = Command::new("sh");
    for (key, value) in clean.get_envs() {
        match value {
            Some(value) => shell.env(key, value),
            None => shell.env_remove(key),
        };
    }
    shell.args(["-c", script]).env("SAMPLE_DIR", dir);
    shell.stdin(Stdio::null());
    shell
}

/// Begins a run with a trial that lives until nextest is killed, so that the sandbox is in use.
fn long_run(dir: &Path, then: &str) -> Child {
    let script = format!("{} & {then}; wait", start("samples::waits_long"));
    let child = nextest(&script, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(wait_for_file(&dir.join("started")));
    child
}

/// Returns a shell command that waits until the long trial runs.
fn when_started(dir: &Path) -> String {
    format!(
        "until [ -e '{}' ]; do sleep 0.01; done",
        dir.join("started").display()
    )
}

/// Returns the processes of this PID namespace, by number and name, but the dead ones.
pub(super) fn processes() -> Vec<(u32, String)> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers
        .filter_map(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (start, rest) = stat.rsplit_once(')')?;
            let name = start.split_once('(')?.1.to_owned();
            (!rest.starts_with(" Z")).then_some((pid, name))
        })
        .collect()
}

fn keepers() -> usize {
    let is_keeper = |(_, name): &&(u32, String)| name == "snowglobe:keep";
    processes().iter().filter(is_keeper).count()
}

/// Returns whether nobody is left but init and this test.
pub(super) fn alone() -> bool {
    let me = std::process::id();
    processes().iter().all(|(pid, _)| *pid == 1 || *pid == me)
}

#[snowglobe::test(nested)]
fn the_starts_of_a_run_share_one_sandbox_which_goes_with_nextest() {
    let dir = shared_dir();
    let others = [start("samples::passes"), start("samples::panics")];
    let then = format!(
        "{}; {}; {}; touch '{}'",
        when_started(dir.path()),
        others[0],
        others[1],
        dir.path().join("others").display()
    );
    let mut run = long_run(dir.path(), &then);
    assert!(wait_for_file(&dir.path().join("others")));
    assert_eq!(keepers(), 1, "{:?}", processes());
    // As a time-out of a CI job does.
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(wait_until(PATIENCE, alone), "{:?}", processes());
}

#[snowglobe::test(nested)]
fn each_start_has_its_own_environment_directory_and_output() {
    let dir = shared_dir();
    let inner = dir.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let sample = start("samples::shows_its_surroundings");
    let out = |name: &str| dir.path().join(name).display().to_string();
    // A limit and a mask are inherited as well: they are those of the start, and not of the first.
    let then = format!(
        "{}; MARK=one {sample} >'{}' 2>&1; cd '{}'; ulimit -n 100; umask 027; MARK=two {sample} >'{}' 2>&1; touch '{}'",
        when_started(dir.path()),
        out("one"),
        inner.display(),
        out("two"),
        out("done"),
    );
    let mut run = long_run(dir.path(), &then);
    assert!(wait_for_file(&dir.path().join("done")));
    let said = |name| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let (one, two) = (said("one"), said("two"));
    let here = std::env::current_dir().unwrap();
    assert!(one.contains(&format!("one in {}", here.display())), "{one}");
    assert!(
        two.contains(&format!("two in {}", inner.display())),
        "{two}"
    );
    assert!(two.contains("files 100, mask 0027"), "{two}");
    assert!(!one.contains("files 100,"), "{one}");
    assert_eq!(keepers(), 1);
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(wait_until(PATIENCE, alone), "{:?}", processes());
}

#[snowglobe::test(nested)]
fn a_start_that_is_stopped_or_killed_leaves_the_others_alone() {
    let dir = shared_dir();
    let mut run = long_run(dir.path(), "true");
    let before = processes().len();
    let other = shared_dir();
    let script = format!("{} --timeout 100ms", start("samples::waits_long"));
    let late: Output = nextest(&script, other.path()).output().unwrap();
    let late = finished(late);
    late.failed_with(&["timed out after 100ms"]);
    // Everything of that trial is gone when its start has ended.
    assert_eq!(processes().len(), before, "{:?}", processes());

    let killed = shared_dir();
    // `exec`, so that the signal reaches the start and not the shell.
    let script = format!("exec {}", start("samples::waits_long"));
    let mut start = nextest(&script, killed.path()).spawn().unwrap();
    assert!(wait_for_file(&killed.path().join("started")));
    start.kill().unwrap();
    start.wait().unwrap();
    assert!(
        wait_until(PATIENCE, || processes().len() == before),
        "{:?}",
        processes()
    );
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(wait_until(PATIENCE, alone), "{:?}", processes());
}

#[snowglobe::test(nested)]
fn the_first_start_of_a_run_reads_the_settings_of_the_host_for_all() {
    let dir = shared_dir();
    let place = |name: &str| dir.path().join(name).display().to_string();
    let then = format!(
        "until [ -e '{}' ]; do sleep 0.01; done; {}; touch '{}'",
        place("watched"),
        start("samples::passes"),
        place("done")
    );
    let mut watch = OpenWatch::on(Path::new("/proc/sys/net/core")).unwrap();
    let mut run = long_run(dir.path(), &then);
    assert!(watch.has_seen_any().unwrap());
    std::fs::write(place("watched"), "").unwrap();
    assert!(wait_for_file(Path::new(&place("done"))));
    assert_eq!(keepers(), 1, "{:?}", processes());
    assert!(!watch.has_seen_any().unwrap());
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(wait_until(PATIENCE, alone), "{:?}", processes());
}
