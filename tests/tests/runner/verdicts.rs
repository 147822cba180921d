//! A verdict cannot be fooled.

use snowglobe_tests::sample;

/// Makes a test of one of the samples, with the parts that its failure must name.
macro_rules! fails {
    ($($name:ident: $($part:literal),+;)*) => {$(
        #[snowglobe::test(nested)]
        fn $name() {
            sample(concat!("samples::", stringify!($name)))
                .failed_with(&[concat!("test samples::", stringify!($name)), "FAILED", $($part),+]);
        }
    )*};
}

fails! {
    panics: "thread 'samples::panics' (", "panicked at tests/tests/runner/../shared/samples.rs:", "as it should";
    returns_an_error: "No such file or directory", "at tests/tests/runner/../shared/samples.rs:";
    returns_what_only_displays: "it only displays";
    returns_what_only_debugs: "[80]";
    returns_what_only_debugs_in_async: "Some(\"trouble\")";
    returns_an_exit_code: "which stands for a failure";
    returns_a_result_of_an_exit_code: "which stands for a failure";
    async_panics: "thread 'samples::async_panics'", "in async";
    panics_with_the_wrong_text: "panic did not contain expected string", "something else";
    does_not_panic: "did not panic as expected";
    exits_with_zero: "exited with code 0 before the test had finished";
    exits_with_seven: "exited with code 7 before the test had finished";
    aborts: "killed by SIGABRT (signal 6)";
    segfaults: "killed by SIGSEGV (signal 11)";
    kills_itself: "killed by SIGKILL (signal 9)";
    terminates_itself: "killed by SIGTERM (signal 15)";
    overflows_its_stack: "overflowed its stack", "stack overflow";
    overflows_a_threads_stack: "overflowed its stack", "stack overflow";
    swallows_a_threads_panic: "a panic was swallowed", "thread 'server'", "nobody joins me";
    swallows_a_tasks_panic: "a panic was swallowed", "nobody awaits me";
}

#[snowglobe::test(nested)]
fn the_right_panic_is_a_pass() {
    sample("samples::panics_with_the_right_text").passed_with(&["- should panic ... ok"]);
}

#[snowglobe::test(nested)]
fn a_panic_that_the_test_catches_is_its_own_business() {
    sample("samples::catches_its_own_panic").passed_with(&["... ok"]);
}

#[snowglobe::test(nested)]
fn a_threads_panic_may_be_expected() {
    sample("samples::expects_a_threads_panic").passed_with(&["... ok"]);
}

#[snowglobe::test(nested)]
fn a_daemon_is_reported_by_pid_and_name_and_killed() {
    let run = sample("samples::leaves_a_daemon");
    run.passed_with(&["... ok (left running, and killed: ", "(sleep)"]);
}

#[snowglobe::test(nested)]
fn a_grandchild_with_the_pipe_holds_nothing_up() {
    // The sample sleeps for 1000 s, and a run that waited for it would outlast this test's time.
    let run = sample("samples::leaves_a_grandchild_with_the_pipe");
    run.passed_with(&["left running, and killed: ", "(sleep)"]);
}

#[snowglobe::test(nested)]
fn who_was_killed_already_is_no_survivor() {
    let run = sample("samples::kills_what_it_started");
    run.passed_with(&["... ok\n"]);
}

#[snowglobe::test(nested)]
fn a_closed_stdout_is_no_failure() {
    sample("samples::closes_stdout").passed_with(&["... ok"]);
}

#[snowglobe::test(nested)]
fn the_run_goes_on_after_the_worst() {
    let run = snowglobe_tests::run(&[
        "--include-ignored",
        "samples::aborts",
        "samples::exits",
        "samples::segfaults",
        "samples::passes",
        "samples::kills_itself",
    ]);
    run.failed_with(&["test samples::passes ... ok", "1 passed; 5 failed"]);
}
