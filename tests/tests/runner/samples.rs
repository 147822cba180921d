//! Trials that misbehave. All are ignored; the tests beside them run them one by one.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use snowglobe::TestResult;

include!("../shared/samples.rs");

#[snowglobe::test(ignore = "a sample")]
fn passes() {
    println!("this passes");
}

struct Spoken;

impl Drop for Spoken {
    fn drop(&mut self) {
        println!("this value is gone");
    }
}

thread_local! {
    static SPOKEN: Spoken = const { Spoken };
}

#[snowglobe::test(ignore = "a sample")]
fn leaves_a_value_to_its_thread() {
    SPOKEN.with(|_| ());
}

#[snowglobe::test(ignore = "a sample")]
fn returns_what_only_displays() -> Result<(), Shown> {
    Err(Shown)
}

struct Shown;

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it only displays")
    }
}

/// The standard harness needs no more of an error than `Debug`.
#[snowglobe::test(ignore = "a sample")]
fn returns_what_only_debugs() -> Result<(), Vec<u16>> {
    Err(vec![80])
}

#[snowglobe::test(ignore = "a sample")]
async fn returns_what_only_debugs_in_async() -> Result<(), Option<&'static str>> {
    Err(Some("trouble"))
}

#[snowglobe::test(ignore = "a sample")]
fn returns_an_exit_code() -> std::process::ExitCode {
    3.into()
}

#[snowglobe::test(ignore = "a sample")]
fn returns_a_result_of_an_exit_code() -> Result<std::process::ExitCode, Vec<u16>> {
    Ok(std::process::ExitCode::FAILURE)
}

#[snowglobe::test]
fn returns_success_as_a_main_may() -> Result<std::process::ExitCode, Vec<u16>> {
    Ok(std::process::ExitCode::SUCCESS)
}

#[snowglobe::test(should_panic = "never")]
fn never_returns() -> ! {
    panic!("it never does")
}

#[snowglobe::test(ignore = "a sample")]
async fn async_panics() {
    tokio::time::sleep(Duration::from_millis(1)).await;
    panic!("in async");
}

#[snowglobe::test(ignore = "a sample", should_panic = "the right text")]
fn panics_with_the_right_text() {
    panic!("this is the right text, indeed");
}

#[snowglobe::test(ignore = "a sample", should_panic = "the right text")]
fn panics_with_the_wrong_text() {
    panic!("something else");
}

#[snowglobe::test(ignore = "a sample")]
fn exits_with_seven() {
    std::process::exit(7);
}

#[snowglobe::test(ignore = "a sample")]
fn segfaults() {
    kill_self(nix::sys::signal::Signal::SIGSEGV);
}

#[snowglobe::test(ignore = "a sample")]
fn kills_itself() {
    kill_self(nix::sys::signal::Signal::SIGKILL);
}

#[snowglobe::test(ignore = "a sample")]
fn terminates_itself() {
    kill_self(nix::sys::signal::Signal::SIGTERM);
}

/// Sends the signal twice, for std catches the first SIGSEGV and lets the next one through if it is
/// no overflow.
fn kill_self(signal: nix::sys::signal::Signal) {
    for _ in 0..2 {
        nix::sys::signal::raise(signal).unwrap();
    }
}

#[snowglobe::test(ignore = "a sample")]
fn overflows_a_threads_stack() {
    #[expect(unconditional_recursion)]
    fn deeper(n: u64) -> u64 {
        let mut room = [n; 512];
        std::hint::black_box(&mut room);
        deeper(n + 1) + room[0]
    }
    std::thread::spawn(|| deeper(0)).join().unwrap();
}

#[snowglobe::test(ignore = "a sample")]
fn catches_its_own_panic() {
    assert!(std::panic::catch_unwind(|| panic!("caught")).is_err());
}

#[snowglobe::test(ignore = "a sample")]
fn swallows_a_threads_panic() {
    let _ = std::thread::Builder::new()
        .name("server".into())
        .spawn(|| panic!("nobody joins me"))
        .unwrap()
        .join();
}

#[snowglobe::test(ignore = "a sample")]
async fn swallows_a_tasks_panic() {
    tokio::spawn(async { panic!("nobody awaits me") });
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

#[snowglobe::test(ignore = "a sample", allow_panics)]
fn expects_a_threads_panic() {
    assert!(std::thread::spawn(|| panic!("expected")).join().is_err());
}

#[snowglobe::test(ignore = "a sample")]
fn leaves_a_daemon() {
    // A session of its own and two forks are what daemons make.
    let script = "setsid sh -c 'sleep 1000 & echo $! > /tmp/pid' & wait";
    Command::new("sh")
        .args(["-c", script])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    until_it_sleeps(std::fs::read_to_string("/tmp/pid").unwrap().trim());
}

/// Waits until the shell's copy has become the program.
fn until_it_sleeps(pid: &str) {
    let name = format!("/proc/{pid}/comm");
    let asleep = || std::fs::read_to_string(&name).is_ok_and(|name| name.trim() == "sleep");
    assert!(snowglobe_tests::wait_until(Duration::from_secs(20), asleep));
}

#[snowglobe::test(ignore = "a sample")]
fn leaves_a_grandchild_with_the_pipe() {
    let script = "sleep 1000 & echo $! > /tmp/pid";
    Command::new("sh").args(["-c", script]).status().unwrap();
    until_it_sleeps(std::fs::read_to_string("/tmp/pid").unwrap().trim());
}

#[snowglobe::test(ignore = "a sample")]
#[expect(clippy::zombie_processes, reason = "what it is about")]
fn kills_what_it_started() {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    child.kill().unwrap();
}

#[snowglobe::test(ignore = "a sample")]
fn closes_stdout() {
    nix::unistd::close(1).unwrap();
    nix::unistd::close(2).unwrap();
}

#[snowglobe::test(ignore = "a sample")]
fn writes_a_gigabyte() {
    let chunk = vec![b'x'; 1 << 20];
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "first line").unwrap();
    for _ in 0..1024 {
        stdout.write_all(&chunk).unwrap();
    }
    writeln!(stdout, "\nlast line").unwrap();
}

#[snowglobe::test(ignore = "a sample")]
fn writes_nothing() {}

#[snowglobe::test(ignore = "a sample")]
fn writes_a_lot_and_fails() {
    let mut stdout = std::io::stdout().lock();
    for i in 0..200_000 {
        writeln!(stdout, "line {i} of many").unwrap();
    }
    panic!("at last");
}

#[snowglobe::test(ignore = "a sample", timeout = "2s")]
#[expect(clippy::zombie_processes, reason = "what it is about")]
fn hangs() {
    let listener = std::net::TcpListener::bind("127.0.0.1:80").unwrap();
    let _child = Command::new("sleep").arg("1000").spawn().unwrap();
    println!("waiting for nobody");
    let _ = listener.accept();
}

#[snowglobe::test(ignore = "a sample", timeout = "2s")]
async fn hangs_async() {
    std::future::pending::<()>().await;
}

#[snowglobe::test(ignore = "a sample")]
fn shows_its_surroundings() {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let files = files
        .and_then(|line| line.split_whitespace().nth(4))
        .unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("Umask:"))
        .unwrap();
    println!(
        "{} in {}, files {files}, mask {}",
        std::env::var("MARK").unwrap_or_default(),
        std::env::current_dir().unwrap().display(),
        mask.trim()
    );
}

#[snowglobe::test(ignore = "a sample")]
fn shows_its_start() {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = std::env::var("NEXTEST_TEST_NAME").unwrap_or_default();
    let argument = std::env::args().nth(2).unwrap_or_default();
    let is_alone = !std::path::Path::new("/tmp/here").exists();
    std::fs::write("/tmp/here", "").unwrap();
    println!("named {name}, argument {argument}, count {count}, alone {is_alone}");
}

#[snowglobe::test(ignore = "a sample")]
fn reads_descriptor_7() {
    println!("{}", std::fs::read_to_string("/proc/self/fd/7").unwrap());
}

#[snowglobe::test(ignore = "a sample")]
fn waits_long() {
    std::fs::write(marker("started"), "").unwrap();
    std::thread::sleep(Duration::from_secs(100));
}

#[snowglobe::test(ignore = "a sample")]
fn waits_for_its_reader() {
    assert!(snowglobe_tests::wait_for_file(&marker("gone")));
}

#[snowglobe::test(ignore = "a sample", seed = 42)]
fn has_a_seed() {
    println!("seed {}", snowglobe::seed());
    panic!("to show it");
}

#[snowglobe::test(ignore = "a sample")]
fn has_a_derived_seed() {
    println!("derived {}", snowglobe::seed());
    panic!("to show it");
}

/// Returns a file in the workspace by which a sample tells something to the test that runs it.
pub(crate) fn marker(name: &str) -> std::path::PathBuf {
    let dir = std::env::var_os("SAMPLE_DIR").expect("the test says where");
    std::path::PathBuf::from(dir).join(name)
}

#[snowglobe::test(ignore = "a sample")]
fn ignores_interrupts() -> TestResult {
    use std::os::unix::process::CommandExt;
    let ignore = "trap '' INT; echo > $SAMPLE_DIR/started; while :; do sleep 1; done";
    // The shell takes the place of the test body, which would not ignore the signals.
    Err(Command::new("sh").args(["-c", ignore]).exec())?
}

#[snowglobe::test(ignore = "a sample")]
fn changes_what_it_can() {
    let script = "hostname changed; echo x > /tmp/x; echo x > /dev/shm/x; echo x > /run/x; \
                  mount -t tmpfs none /mnt; echo 1 > /proc/sys/net/ipv4/ip_forward; \
                  echo x > /etc/hostname; echo core > /proc/sys/kernel/core_pattern; \
                  echo 3 > /proc/sys/vm/drop_caches; kill -9 -1; true";
    let _ = Command::new("sh").args(["-c", script]).status();
}

#[snowglobe::test(ignore = "a sample", group = "lonely")]
fn lonely_in_its_group_1() -> TestResult {
    alone()
}

#[snowglobe::test(ignore = "a sample", group = "lonely")]
fn lonely_in_its_group_2() -> TestResult {
    alone()
}

#[snowglobe::test(ignore = "a sample", exclusive)]
fn lonely_on_the_machine() -> TestResult {
    alone()
}

#[snowglobe::test(ignore = "a sample", threads = 100)]
fn lonely_by_its_weight() -> TestResult {
    alone()
}

/// Fails if another trial does the same at the same time.
fn alone() -> TestResult {
    let lock = marker("alone");
    std::fs::File::create_new(&lock)?;
    std::thread::sleep(Duration::from_millis(100));
    std::fs::remove_file(&lock)?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn not_alone_1() -> TestResult {
    met("1", "2")
}

#[snowglobe::test(ignore = "a sample")]
fn not_alone_2() -> TestResult {
    met("2", "1")
}

/// Does the same, and stays until the other trial has tried.
fn met(own: &str, other: &str) -> TestResult {
    let lock = marker("alone");
    let made = std::fs::File::create_new(&lock);
    std::fs::write(marker(own), "")?;
    made?;
    assert!(snowglobe_tests::wait_for_file(&marker(other)));
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn prints_what_libtest_mimic_prints() {
    use libtest_mimic::{Arguments, Trial, run};
    let args = Arguments::from_iter(["", "--color", "never"]);
    let trials = vec![Trial::test("shown_by_libtest_mimic", || Ok(()))];
    assert!(!run(&args, trials).has_failed());
}

#[snowglobe::test(ignore = "a sample")]
fn leaves_notes() {
    snowglobe::note("the host was\n  busy");
    snowglobe::note("<twice>");
}

#[snowglobe::test(ignore = "a sample")]
fn notes_and_aborts() {
    snowglobe::note("about to abort");
    std::process::abort();
}

#[snowglobe::test(ignore = "a sample", timeout = "2s")]
fn notes_and_hangs() {
    snowglobe::note("about to hang");
    std::thread::sleep(Duration::from_secs(100));
}

#[snowglobe::test(ignore = "a sample")]
fn notes_too_much() {
    snowglobe::note("é".repeat(1000));
    for i in 0..1_000_000 {
        snowglobe::note(format!("note {i}"));
    }
}

#[snowglobe::test(ignore = "a sample")]
fn is_told_that_it_passed() {
    told();
}

#[snowglobe::test(ignore = "a sample")]
fn is_told_that_it_failed() {
    told();
    panic!("on purpose");
}

/// Writes the verdict down, and checks that the last to ask is the first to be told.
fn told() {
    snowglobe::at_end(|passed| snowglobe::note(format!("first: {passed}")));
    snowglobe::at_end(|passed| snowglobe::note(format!("last: {passed}")));
}

#[snowglobe::test(ignore = "a sample")]
fn breaks_down_at_its_end() {
    snowglobe::at_end(|passed| snowglobe::note(format!("told {passed}")));
    snowglobe::at_end(|_| panic!("no room left"));
}

#[snowglobe::test(ignore = "a sample")]
fn fails_with_one_seed_in_ten() {
    assert!(!snowglobe::seed().is_multiple_of(10), "an unlucky seed");
}

/// Waits until three other copies of the trial are there as well.
#[snowglobe::test(ignore = "a sample")]
fn meets_three_copies() -> TestResult {
    let dir = std::path::PathBuf::from(std::env::var("SAMPLE_DIR")?);
    std::fs::write(dir.join(std::process::id().to_string()), "")?;
    snowglobe::lab::wait_until(Duration::from_secs(30), || {
        let copies = std::fs::read_dir(&dir).map_or(0, Iterator::count);
        if copies >= 4 { Ok(()) } else { Err(copies) }
    })?;
    Ok(())
}
