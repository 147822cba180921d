//! A program that writes what no log may have fails its trial, although the test is content.

use snowglobe::lab::ALARMING;
use snowglobe::prelude::*;
use snowglobe::topology::StartCommand;
use snowglobe_tests::sample;

/// Starts a program in a node that writes a line, and waits until the line was read.
fn says(lab: &Lab, node: &str, line: &str, to: &str) -> TestResult {
    let script = format!("echo '{line}' {to}");
    let node = lab.node(node).ok_or("node")?;
    let process = node.command("sh").args(["-c", &script]).spawn()?;
    process.wait_for_log(line)?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_is_content_with_a_data_race() -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(ALARMING);
    says(&lab, "bob", "all is well", "")?;
    says(&lab, "bob", "WARNING: DATA RACE in merge", ">&2")
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_forbids_what_was_written_before() -> TestResult {
    let lab = shape::pair().start()?;
    says(&lab, "alice", "page 7 is corrupt", "")?;
    lab.forbid_in_logs(["corrupt"]);
    Ok(())
}

/// The line has no end, and comes when the program ends with the lab.
#[snowglobe::test(ignore = "a sample")]
fn sample_whose_last_words_are_a_panic() -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(ALARMING);
    let script = "trap 'printf panicked; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let node = lab.node("alice").ok_or("alice")?;
    let process = node.command("sh").args(["-c", script]).spawn()?;
    process.wait_for_log("ready")?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_permits_one_line() -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(ALARMING);
    lab.permit_in_logs(["checking for corrupt pages"]);
    says(&lab, "alice", "Checking for corrupt pages", "")
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_forbids_nothing() -> TestResult {
    let lab = shape::pair().start()?;
    says(&lab, "alice", "panic: nobody minds", "")
}

#[snowglobe::test(nested)]
fn a_forbidden_text_fails_a_trial_that_passes_otherwise() {
    sample("logs::sample_that_is_content_with_a_data_race").failed_with(&[
        "`sh` (pid ",
        "on `bob` wrote \"data race\" to stderr",
        "WARNING: DATA RACE in merge",
        "Lab::permit_in_logs",
    ]);
    sample("logs::sample_that_forbids_nothing").passed_with(&[]);
}

#[snowglobe::test(nested)]
fn lines_from_before_and_last_words_count() {
    sample("logs::sample_that_forbids_what_was_written_before").failed_with(&[
        "on `alice` wrote \"corrupt\" to stdout",
        "page 7 is corrupt",
    ]);
    sample("logs::sample_whose_last_words_are_a_panic")
        .failed_with(&["on `alice` wrote \"panic\" to stdout", "panicked"]);
}

#[snowglobe::test(nested)]
fn a_permitted_line_is_no_failure() {
    sample("logs::sample_that_permits_one_line").passed_with(&[]);
}

/// Starts a script of a shell that ends by itself, and waits for its end.
fn runs(lab: &Lab, script: &str) -> TestResult {
    let node = lab.node("alice").ok_or("alice")?;
    node.command("sh").args(["-c", script]).spawn()?.wait()?;
    Ok(())
}

/// Forbids what usually is, in a lab in which a script runs.
fn checked(script: &str) -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(ALARMING);
    runs(&lab, script)
}

#[snowglobe::test(ignore = "a sample")]
fn sample_of_a_text_in_two_writes() -> TestResult {
    checked("printf 'goroutine 1: pa'; sleep 0.2; printf 'nic'; sleep 0.2; echo ': nil map'")
}

/// A line that is longer than 64 kB is cut, and the text stands where the cut is.
#[snowglobe::test(ignore = "a sample")]
fn sample_of_a_text_at_the_cut_of_a_long_line() -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(["over the cut"]);
    // One read brings at most 64 kB, and the cut is behind the read that exceeds them.
    let script = "head -c 65500 /dev/zero | tr '\\0' x; sleep 0.2; \
                  printf '%s' 'is anything found that stands exactly over the '; sleep 0.2; \
                  printf 'cut'; head -c 200000 /dev/zero | tr '\\0' y; echo";
    runs(&lab, script)
}

#[snowglobe::test(ignore = "a sample")]
fn sample_of_a_text_among_bytes_that_are_no_text() -> TestResult {
    checked("printf '\\377\\000\\033[31mDATA RACE\\033[0m\\000\\376' >&2")
}

#[snowglobe::test(ignore = "a sample")]
fn sample_of_a_text_in_a_log_file() -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(ALARMING);
    let node = lab.node("alice").ok_or("alice")?;
    runs(&lab, "echo 'all is well' > /tmp/server.log")?;
    let tail = ["-n", "+1", "-F", "/tmp/server.log"];
    let tail = node.command("tail").args(tail).spawn()?;
    tail.wait_for_log("all is well")?;
    runs(&lab, "echo 'page 7 is corrupt' >> /tmp/server.log")?;
    tail.wait_for_log("page 7")?;
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn sample_of_words_that_are_harmless() -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(ALARMING);
    lab.permit_in_logs(["no panic", "corrupt-check"]);
    // What the test itself writes and reads is its own affair.
    println!("panic: a word of the test");
    let node = lab.node("alice").ok_or("alice")?;
    let said = node.command("echo").arg("panic").output()?;
    assert_eq!(said.stdout_str().trim(), "panic");
    runs(
        &lab,
        "echo 'No panic here'; echo initial-corrupt-check=true >&2",
    )
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_gives_texts_of_no_use() -> TestResult {
    let lab = shape::pair().start()?;
    lab.forbid_in_logs(["", "panic\n"]);
    lab.permit_in_logs([""]);
    runs(&lab, "echo well")
}

#[snowglobe::test(ignore = "a sample")]
fn sample_of_a_member_that_panics_and_is_started_again() -> TestResult {
    let script = "test -e /tmp/second && echo recovered || \
                  { : > /tmp/second; echo 'panic: index out of range' >&2; }; echo up; exec sleep 100";
    let cluster = Cluster::of(2, |i| {
        let member = StartCommand::new("sh").args(["-c", script]).ready_log("up");
        NodeSpec::new(format!("m{i}")).command(member)
    });
    let cluster = cluster.start()?;
    cluster.forbid_in_logs(ALARMING);
    cluster.rolling_restart()?;
    Ok(())
}

#[snowglobe::test(nested)]
fn a_text_is_found_however_it_was_written() {
    let found = |sample: &str, parts: &[&str]| {
        let run = snowglobe_tests::sample(&format!("logs::{sample}"));
        run.failed_with(parts);
        run
    };
    found(
        "sample_of_a_text_in_two_writes",
        &["wrote \"panic\" to stdout", "goroutine 1: panic: nil map"],
    );
    let run = found(
        "sample_of_a_text_at_the_cut_of_a_long_line",
        &[
            "wrote \"over the cut\" to stdout",
            "…xxx",
            "exactly over the cutyyy",
            "yyy…",
        ],
    );
    // The report has the words around the text, and not the whole line.
    let reason = run.stdout.lines().find(|line| line.contains("…xxx"));
    assert!(reason.is_some_and(|line| line.len() < 1000), "{run:#?}");
    found(
        "sample_of_a_text_among_bytes_that_are_no_text",
        &[
            "wrote \"data race\" to stderr",
            "\\u{0}\\u{1b}[31mDATA RACE\\u{1b}[0m",
        ],
    );
    found(
        "sample_of_a_text_in_a_log_file",
        &[
            "`tail` (pid ",
            "wrote \"corrupt\" to stdout",
            "page 7 is corrupt",
        ],
    );
    found(
        "sample_of_a_member_that_panics_and_is_started_again",
        &[
            "on `m0` wrote \"panic\"",
            "on `m1` wrote \"panic\"",
            "index out of range",
        ],
    );
}

#[snowglobe::test(nested)]
fn harmless_words_are_permitted_and_useless_texts_refused() {
    sample("logs::sample_of_words_that_are_harmless").passed_with(&[]);
    sample("logs::sample_that_gives_texts_of_no_use").failed_with(&[
        "`Lab::forbid_in_logs` was given \"\", and each line has the empty text",
        "`Lab::forbid_in_logs` was given \"panic\\n\", and no line has a line end in it",
        "`Lab::permit_in_logs` was given \"\", and each line has the empty text",
    ]);
}
