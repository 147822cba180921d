//! A panic is noticed and named whatever panic hook there is, and so is the end of a test that has
//! closed what it had not opened.

use std::os::fd::AsRawFd;
use std::panic::{resume_unwind, set_hook, take_hook};
use std::thread::Builder;

use nix::sys::signal::{Signal, kill};
use snowglobe::prelude::*;
use snowglobe_tests::sample;

/// Starts a thread that ends in this way, and waits for it without a look at how it ended.
fn swallow(work: fn()) {
    let thread = Builder::new().name("server".into()).spawn(work).unwrap();
    drop(thread.join());
}

#[snowglobe::test(ignore = "a sample")]
fn swallows_with_a_hook_of_its_own() {
    set_hook(Box::new(|_| {}));
    swallow(|| panic!("nobody joins me"));
}

/// As `exec 2>&-` of a shell, or a crate that sends stderr into a file for a while.
#[snowglobe::test(ignore = "a sample")]
fn panics_with_stderr_closed() {
    nix::unistd::close(2).unwrap();
    panic!("nobody hears me");
}

#[snowglobe::test(ignore = "a sample")]
fn panics_with_stderr_elsewhere() {
    let elsewhere = std::fs::File::create("/tmp/elsewhere").unwrap();
    nix::unistd::dup2_stderr(elsewhere).unwrap();
    panic!("nobody hears me");
}

#[snowglobe::test(nested)]
fn a_panic_that_stderr_does_not_show_is_named() {
    for name in ["panics_with_stderr_closed", "panics_with_stderr_elsewhere"] {
        let run = sample(&format!("hooks::{name}"));
        run.failed_with(&["panicked: nobody hears me", "    at ", "hooks.rs:"]);
    }
}

#[snowglobe::test(ignore = "a sample")]
fn swallows_with_a_second_hook() {
    set_hook(Box::new(|_| {}));
    set_hook(Box::new(|_| eprintln!("a hook like those of reporters")));
    swallow(|| panic!("nobody joins me"));
}

#[snowglobe::test(ignore = "a sample")]
fn swallows_with_a_hook_that_is_put_aside() {
    let usual = take_hook();
    set_hook(Box::new(|_| {}));
    swallow(|| panic!("nobody joins me"));
    set_hook(usual);
}

#[snowglobe::test(ignore = "a sample")]
fn swallows_with_a_hook_that_calls_the_usual_one() {
    let usual = take_hook();
    set_hook(Box::new(move |info| usual(info)));
    swallow(|| panic!("nobody joins me"));
}

#[snowglobe::test(ignore = "a sample")]
fn swallows_without_a_hook() {
    drop(take_hook());
    swallow(|| panic!("nobody joins me"));
}

#[snowglobe::test(ignore = "a sample")]
fn swallows_what_calls_no_hook() {
    swallow(|| resume_unwind(Box::new("nobody joins me")));
}

#[snowglobe::test(ignore = "a sample")]
fn catches_a_value_that_stops_a_thread() {
    struct Stop;
    swallow(|| {
        let stopped = std::panic::catch_unwind(|| resume_unwind(Box::new(Stop)));
        assert!(stopped.is_err());
    });
}

/// Runs a scope with a thread that panics by this function, and catches the panic of the scope.
fn catch_scope(panics: fn()) {
    let scope = || std::thread::scope(|scope| drop(scope.spawn(panics)));
    let panic = std::panic::catch_unwind(scope).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"a scoped thread panicked"));
}

#[snowglobe::test(ignore = "a sample")]
fn catches_the_panic_of_a_scope() {
    for panics in [
        || panic!("{}", "in a scope"),
        || assert!("a".parse::<u8>().unwrap() > 0),
        || std::panic::panic_any(5),
        || resume_unwind(Box::new("in a scope")),
        || std::thread::scope(|inner| drop(inner.spawn(|| panic!("in a scope of a scope")))),
    ] {
        catch_scope(panics);
    }
    let scope = || {
        std::thread::scope(|scope| {
            let inner = move || drop(scope.spawn(|| panic!("from a thread of the scope")));
            // A handle that lives longer than its thread.
            let thread = scope.spawn(inner);
            while !thread.is_finished() {
                std::thread::yield_now();
            }
        });
    };
    assert!(std::panic::catch_unwind(scope).is_err());
}

#[snowglobe::test(ignore = "a sample")]
fn catches_the_panic_of_a_scope_with_a_hook_of_its_own() {
    set_hook(Box::new(|_| {}));
    catch_scope(|| panic!("in a scope"));
}

#[snowglobe::test(ignore = "a sample")]
fn catches_a_panic_that_it_has_passed_on() {
    let thread = std::thread::spawn(|| panic!("passed on"));
    let Err(panic) = thread.join();
    let pass_on = std::panic::AssertUnwindSafe(|| resume_unwind(panic));
    assert!(std::panic::catch_unwind(pass_on).is_err());
}

/// Starts a thread that panics, and waits until it is gone without a join.
fn nobody_joins() {
    let thread = Builder::new().name("server".into());
    let thread = thread.spawn(|| panic!("nobody joins me")).unwrap();
    while !thread.is_finished() {
        std::thread::yield_now();
    }
}

#[snowglobe::test(ignore = "a sample")]
fn swallows_after_a_scope_has_panicked() {
    catch_scope(|| panic!("in a scope"));
    nobody_joins();
}

#[snowglobe::test(nested)]
fn a_panic_that_reaches_the_test_by_another_thread_is_its_own_business() {
    for name in [
        "catches_the_panic_of_a_scope",
        "catches_the_panic_of_a_scope_with_a_hook_of_its_own",
        "catches_a_panic_that_it_has_passed_on",
    ] {
        sample(&format!("hooks::{name}")).passed_with(&["... ok\n"]);
    }
}

#[snowglobe::test(nested)]
fn a_panic_after_that_of_a_scope_is_found() {
    sample("hooks::swallows_after_a_scope_has_panicked")
        .failed_with(&["a panic was swallowed: thread 'server' panicked: nobody joins me"]);
}

#[snowglobe::test(ignore = "a sample")]
fn panics_with_a_hook_of_its_own() {
    set_hook(Box::new(|_| {}));
    panic!("silently");
}

#[snowglobe::test(ignore = "a sample")]
fn panics_with_a_hook_that_is_put_aside() {
    let _usual = take_hook();
    set_hook(Box::new(|_| {}));
    panic!("silently");
}

#[snowglobe::test(ignore = "a sample")]
fn resumes_a_panic_of_its_own() {
    resume_unwind(Box::new(String::from("silently")));
}

#[snowglobe::test(ignore = "a sample")]
fn passes_a_threads_panic_on() {
    set_hook(Box::new(|_| {}));
    let thread = std::thread::spawn(|| {
        panic!("silently") // The place that counts.
    });
    let Err(panic) = thread.join();
    resume_unwind(panic);
}

#[snowglobe::test(ignore = "a sample")]
fn exits_in_a_hook_of_its_own() {
    set_hook(Box::new(|_| std::process::exit(0)));
    panic!("silently");
}

#[snowglobe::test(ignore = "a sample")]
fn exits_in_a_hook_on_another_thread() {
    set_hook(Box::new(|_| std::process::exit(1)));
    swallow(|| panic!("silently"));
}

#[snowglobe::test(ignore = "a sample")]
fn aborts_in_a_hook_of_its_own() {
    set_hook(Box::new(|_| std::process::abort()));
    panic!("silently");
}

/// Returns the end of the file's name and the line, as in `hooks.rs:7:`, of the line below the one
/// that says `what`.
fn place(what: &str, below: usize) -> String {
    let line = include_str!("hooks.rs")
        .lines()
        .position(|line| line.contains(what));
    format!("runner/hooks.rs:{}:", line.unwrap() + 1 + below)
}

#[snowglobe::test(nested)]
fn a_panic_that_nobody_joins_fails_with_any_hook() {
    for (name, below) in [
        ("swallows_with_a_hook_of_its_own", 2),
        ("swallows_with_a_second_hook", 3),
        ("swallows_with_a_hook_that_is_put_aside", 3),
        ("swallows_with_a_hook_that_calls_the_usual_one", 3),
        ("swallows_without_a_hook", 2),
        ("swallows_what_calls_no_hook", 1),
    ] {
        let place = place(&format!("fn {name}()"), below);
        sample(&format!("hooks::{name}")).failed_with(&[
            "a panic was swallowed: thread 'server' panicked: nobody joins me",
            &place,
        ]);
    }
}

#[snowglobe::test(nested)]
fn a_value_that_a_library_stops_a_thread_by_is_no_panic() {
    sample("hooks::catches_a_value_that_stops_a_thread").passed_with(&["... ok\n"]);
}

#[snowglobe::test(nested)]
fn the_report_names_reason_and_place_with_any_hook() {
    for (name, below) in [
        ("panics_with_a_hook_of_its_own", 2),
        ("panics_with_a_hook_that_is_put_aside", 3),
        ("resumes_a_panic_of_its_own", 1),
        ("passes_a_threads_panic_on", 3),
    ] {
        let place = place(&format!("fn {name}()"), below);
        sample(&format!("hooks::{name}")).failed_with(&["panicked: silently", &place]);
    }
}

#[snowglobe::test(nested)]
fn a_panic_whose_hook_ends_the_process_is_named_with_its_place() {
    for (name, below, end) in [
        ("exits_in_a_hook_of_its_own", 2, "exited with code 0"),
        ("exits_in_a_hook_on_another_thread", 2, "exited with code 1"),
        ("aborts_in_a_hook_of_its_own", 2, "SIGABRT"),
    ] {
        let place = place(&format!("fn {name}()"), below);
        sample(&format!("hooks::{name}")).failed_with(&[end, ": silently", &place]);
    }
}

#[snowglobe::test(ignore = "a sample")]
fn closes_all_descriptors() {
    close_from_three();
}

#[snowglobe::test(ignore = "a sample")]
fn closes_all_descriptors_and_panics() {
    close_from_three();
    panic!("after all that");
}

#[snowglobe::test(ignore = "a sample")]
fn closes_all_descriptors_and_drops_a_file() {
    let file = std::fs::File::open("/etc/hostname").unwrap();
    close_from_three();
    drop(file);
}

#[snowglobe::test(ignore = "a sample")]
fn drops_a_file_whose_descriptor_another_thread_has_closed() {
    let file = std::fs::File::open("/etc/hostname").unwrap();
    std::thread::spawn(close_from_three).join().unwrap();
    std::thread::spawn(|| drop(file)).join().unwrap();
}

#[snowglobe::test(ignore = "a sample")]
fn aborts_without_having_closed_anything() {
    std::process::abort();
}

#[snowglobe::test(ignore = "a sample")]
fn is_killed_by_a_signal_of_aborts() {
    // To the process, as from outside, and not to the thread, as by abort(3).
    kill(nix::unistd::getpid(), Signal::SIGABRT).unwrap();
    std::thread::sleep(Duration::from_secs(1000));
}

#[snowglobe::test(nested)]
fn a_test_that_aborts_for_want_of_its_descriptors_is_told_the_cause() {
    for name in [
        "closes_all_descriptors_and_drops_a_file",
        "drops_a_file_whose_descriptor_another_thread_has_closed",
    ] {
        sample(&format!("hooks::{name}")).failed_with(&[CAUSE, "SIGABRT"]);
    }
    for name in [
        "aborts_without_having_closed_anything",
        "is_killed_by_a_signal_of_aborts",
    ] {
        let run = sample(&format!("hooks::{name}"));
        run.failed_with(&["SIGABRT"]);
        assert!(!run.stdout.contains(CAUSE), "{run:#?}");
    }
}

#[snowglobe::test(ignore = "a sample")]
fn closes_all_descriptors_beside_a_lab() -> TestResult {
    let _lab = shape::pair().start()?;
    close_from_three();
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn closes_all_descriptors_and_enters_a_node() -> TestResult {
    let lab = shape::pair().start()?;
    close_from_three();
    lab.node("bob").ok_or("bob")?.run(|| ());
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn closes_each_number() {
    for number in 3..1024 {
        let _ = nix::unistd::close(number);
    }
}

#[snowglobe::test(ignore = "a sample")]
#[expect(unsafe_code, reason = "nothing safe takes a number from its owner")]
fn puts_sockets_in_the_place_of_all_descriptors() {
    let (socket, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
    for number in (3..100).filter(|number| *number != socket.as_raw_fd()) {
        // SAFETY: nobody uses the numbers afterwards but the library, which this test is about.
        unsafe { nix::libc::dup2(socket.as_raw_fd(), number) };
    }
    std::mem::forget((socket, _other));
}

#[expect(unsafe_code, reason = "nothing safe closes what others have opened")]
fn close_from_three() {
    // SAFETY: nobody uses these descriptors afterwards but the library, which this test is about.
    let done = unsafe { nix::libc::syscall(nix::libc::SYS_close_range, 3, u32::MAX, 0) };
    assert_eq!(done, 0);
}

#[snowglobe::test(nested)]
fn a_test_that_closes_all_descriptors_has_a_verdict_with_the_cause() {
    for name in [
        "closes_all_descriptors",
        "closes_each_number",
        "puts_sockets_in_the_place_of_all_descriptors",
    ] {
        sample(&format!("hooks::{name}")).passed_with(&[CAUSE]);
    }
    let run = sample("hooks::closes_all_descriptors_and_panics");
    run.failed_with(&[CAUSE, "after all that"]);
    // Neither comes to a verdict: the runtime aborts.
    sample("hooks::closes_all_descriptors_beside_a_lab").failed_with(&[CAUSE]);
    let run = sample("hooks::closes_all_descriptors_and_enters_a_node");
    run.failed_with(&[CAUSE, "failed to enter node `bob`"]);
}

/// Part of the sentence on a channel that was closed.
const CAUSE: &str = "closed a descriptor that it had not opened";
