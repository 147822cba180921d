//! What a test body does as any program does, however the tests are built: exit handlers, panics
//! that abort, errors that sanitizers find.
//!
//! `.ci/run` builds and runs this suite with several flags of the compiler.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use nix::libc;
use snowglobe::prelude::*;
use snowglobe_tests::{finished, run, sample, this_program};

/// Writes to stdout as code of C does that runs at the end of a process.
fn say(text: &str) {
    let _ = nix::unistd::write(std::io::stdout(), text.as_bytes());
}

extern "C" fn first_registered() {
    say("first registered\n");
}

extern "C" fn last_registered() {
    say("last registered\n");
}

extern "C" fn fails_at_exit() {
    say("about to fail\n");
    // SAFETY: it has no precondition.
    #[expect(unsafe_code, reason = "what a leak checker does")]
    unsafe {
        libc::_exit(23)
    }
}

/// Registers a handler by atexit(3).
fn at_exit(handler: extern "C" fn()) {
    // SAFETY: the handlers above may run at any time.
    #[expect(unsafe_code, reason = "std has no way to exit handlers")]
    let done = unsafe { libc::atexit(handler) };
    assert_eq!(done, 0);
}

/// Runs at the end of every process of this program, as destructors of C++ and counters of gcov do.
extern "C" fn destructor() {
    if std::env::var_os("SAY_DESTRUCTOR").is_some() {
        say("destructor\n");
    }
}

#[used]
#[expect(unsafe_code, reason = "what compilers of other languages do")]
// SAFETY: `.fini_array` holds pointers to functions without arguments.
#[unsafe(link_section = ".fini_array")]
static DESTRUCTOR: extern "C" fn() = destructor;

struct Spoken;

impl Drop for Spoken {
    fn drop(&mut self) {
        say("value of the thread\n");
    }
}

thread_local! {
    static SPOKEN: Spoken = const { Spoken };
}

#[snowglobe::test(ignore = "a sample")]
fn has_exit_handlers() {
    print_destructor();
    at_exit(first_registered);
    at_exit(last_registered);
    SPOKEN.with(|_| ());
}

#[snowglobe::test(ignore = "a sample")]
fn has_exit_handlers_and_panics() {
    has_handlers_of_a_failure();
    panic!("as it should");
}

#[snowglobe::test(ignore = "a sample")]
fn has_an_exit_handler_that_fails() {
    at_exit(fails_at_exit);
}

fn has_handlers_of_a_failure() {
    print_destructor();
    at_exit(first_registered);
}

/// Makes the destructor of this process speak, and of no other.
fn print_destructor() {
    // SAFETY: the body has a single thread yet.
    #[expect(unsafe_code, reason = "a flag that outlives all destructors")]
    unsafe {
        std::env::set_var("SAY_DESTRUCTOR", "1");
    }
}

/// Whether this build unwinds: a panic that aborts runs no exit handlers.
const UNWINDS: bool = cfg!(panic = "unwind");

#[snowglobe::test(nested)]
fn exit_handlers_and_destructors_run_at_the_end_of_a_body() {
    let run = run(&[
        "--exact",
        "has_exit_handlers",
        "--include-ignored",
        "--nocapture",
    ]);
    // In the order of exit(3).
    run.passed_with(&[
        "value of the thread\nlast registered\nfirst registered\ndestructor\n",
        "1 passed",
    ]);
    if UNWINDS {
        sample("has_exit_handlers_and_panics")
            .failed_with(&["as it should", "first registered\ndestructor\n"]);
    }
}

#[snowglobe::test(nested)]
fn an_exit_handler_that_fails_fails_the_trial() {
    sample("has_an_exit_handler_that_fails").failed_with(&[
        "about to fail",
        "the test finished, but then its process exited with code 23",
    ]);
}

#[snowglobe::test(ignore = "a sample", user = "no-such-user")]
fn has_a_user_whom_nobody_knows() {}

#[snowglobe::test(ignore = "a sample", user = 4711)]
fn has_a_user_without_a_name() {
    assert_eq!(nix::unistd::getuid().as_raw(), 4711);
}

#[snowglobe::test(nested)]
fn users_are_looked_up() {
    sample("has_a_user_whom_nobody_knows").failed_with(&["there is no user `no-such-user`"]);
    let run = run(&["--exact", "has_a_user_without_a_name", "--include-ignored"]);
    run.passed_with(&["1 passed"]);
}

#[snowglobe::test]
#[should_panic]
fn a_panic_is_expected() {
    panic!("any");
}

#[snowglobe::test(should_panic = "this text")]
fn a_panic_with_a_text_is_expected() {
    panic!("it has this text, indeed");
}

#[snowglobe::test(ignore = "a sample", should_panic = "another text")]
fn panics_with_the_wrong_text() {
    panic!("this text");
}

#[snowglobe::test(ignore = "a sample")]
fn panics() {
    snowglobe::at_end(|passed| snowglobe::note(format!("told {passed}")));
    panic!("as it should");
}

#[snowglobe::test(ignore = "a sample", should_panic)]
fn does_not_panic() {}

#[snowglobe::test(nested)]
fn panics_have_the_same_verdicts_whether_they_unwind_or_abort() {
    sample("panics").failed_with(&["panicked at", "as it should", "note: told false"]);
    sample("panics_with_the_wrong_text").failed_with(&["panic did not contain expected string"]);
    sample("does_not_panic").failed_with(&["test did not panic as expected"]);
}

#[snowglobe::test]
fn a_lab_runs_code_programs_and_threads() -> TestResult {
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    let server = bob.run(|| TcpListener::bind("0.0.0.0:80"))?;
    let client = std::thread::scope(|scope| {
        let client = scope.spawn(|| alice.run(|| TcpStream::connect("bob:80")));
        client.join().expect("it ends")
    });
    client?.write_all(b"hi")?;
    let mut heard = String::new();
    server.accept()?.0.read_to_string(&mut heard)?;
    assert_eq!(heard, "hi");
    let said = alice.command("sh").args(["-c", "echo said"]).output()?;
    assert_eq!(said.stdout_str(), "said\n");
    Ok(())
}

#[snowglobe::test]
async fn a_lab_runs_futures() -> TestResult {
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    assert_eq!(
        alice
            .spawn(async { tokio::task::spawn_blocking(|| 7).await })
            .await??,
        7
    );
    Ok(())
}

#[snowglobe::test(user = "nobody")]
fn a_lab_of_an_ordinary_user_runs_code() -> TestResult {
    let lab = shape::pair().start()?;
    let bob = lab.node("bob").ok_or("bob")?;
    let _server = bob.run(|| TcpListener::bind("0.0.0.0:8080"))?;
    let alice = lab.node("alice").ok_or("alice")?;
    alice.run(|| TcpStream::connect("bob:8080"))?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn loses_memory() {
    std::mem::forget(std::hint::black_box(Box::new([1u8; 4321])));
    // The address must not be left in a register or on the stack.
    std::hint::black_box([0u8; 4096]);
}

#[snowglobe::test(ignore = "a sample")]
#[expect(unsafe_code, reason = "the error that is to be found")]
fn reads_what_is_freed() {
    let value = Box::new(5u64);
    let address = std::hint::black_box(&raw const *value);
    drop(value);
    // SAFETY: there is none.
    std::hint::black_box(unsafe { *address });
}

static mut COUNT: u64 = 0;

#[snowglobe::test(ignore = "a sample")]
#[expect(unsafe_code, reason = "the error that is to be found")]
fn races() {
    let add = || {
        let count = &raw mut COUNT;
        // SAFETY: there is none.
        (0..1000).for_each(|_| unsafe { count.write(count.read() + 1) });
    };
    std::thread::scope(|scope| {
        scope.spawn(add);
        scope.spawn(add);
    });
}

/// `.ci/run` names the sanitizer with which it has built this suite.
#[snowglobe::test(nested)]
fn planted_errors_are_found_and_named_by_the_sanitizer() {
    let lost = [
        "detected memory leaks",
        "4321 byte(s) leaked in 1 allocation(s)",
        "loses_memory",
    ];
    match std::env::var("BUILD_SANITIZER").as_deref() {
        Ok("address") => {
            let freed = ["heap-use-after-free", "builds.rs:", "reads_what_is_freed"];
            for (name, parts) in [("reads_what_is_freed", &freed), ("loses_memory", &lost)] {
                let run = sample(name);
                run.failed_with(parts);
                // The program with which the sanitizer finds lines is not the test's.
                assert!(!run.stdout.contains("left running"), "{run:#?}");
            }
        }
        Ok("leak") => sample("loses_memory").failed_with(&lost),
        Ok("thread") => sample("races").failed_with(&["data race", "builds.rs:", "races"]),
        Ok("") | Err(_) => sample("races").passed_with(&["1 passed"]),
        Ok(other) => panic!("{other}"),
    }
}

/// Valgrind makes no namespaces, and says so of itself by an errno only.
#[snowglobe::test(nested)]
fn valgrind_is_named_where_it_refuses_a_call() -> TestResult {
    if Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        snowglobe::note("there is no valgrind here");
        return Ok(());
    }
    if std::env::var_os("BUILD_SANITIZER").is_some_and(|name| !name.is_empty()) {
        // Both want to be the only one that watches memory.
        snowglobe::note("valgrind does not run programs with a sanitizer");
        return Ok(());
    }
    let mut program = Command::new("valgrind");
    program.arg("--tool=none").arg(this_program().get_program());
    let run = finished(program.args(["--exact", "a_panic_is_expected"]).output()?);
    assert!(
        run.stderr
            .contains("Valgrind does not know the system calls"),
        "{run:#?}"
    );
    assert!(!run.stderr.contains("sandbox died"), "{run:#?}");
    Ok(())
}

snowglobe::main!();
