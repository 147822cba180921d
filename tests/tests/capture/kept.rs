//! A capture is kept or removed at the end of its trial.

use std::path::{Path, PathBuf};

use snowglobe::prelude::*;
use snowglobe_tests::{Run, finished, this_program};

use crate::plain::exchange;
use crate::tshark::read;

fn traffic() -> TestResult<Lab> {
    let lab = shape::pair().start()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    exchange(&lab, alice.id(), bob.id(), 80)?;
    Ok(lab)
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_passes_without_asking() -> TestResult {
    traffic().map(drop)
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_fails_without_asking() -> TestResult {
    let _lab = traffic()?;
    Err("as it should".into())
}

fn captured() -> TestResult<snowglobe::observe::CaptureGuard> {
    let lab = shape::pair().start()?;
    let capture = lab.capture_all()?;
    let (alice, bob) = (
        lab.node("alice").ok_or("alice")?,
        lab.node("bob").ok_or("bob")?,
    );
    exchange(&lab, alice.id(), bob.id(), 80)?;
    assert!(capture.path().exists());
    Ok(capture)
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_passes() -> TestResult {
    captured().map(drop)
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_passes_and_keeps() -> TestResult {
    let _capture = captured()?.keep_always();
    Ok(())
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_fails() -> TestResult {
    let _capture = captured()?;
    Err("as it should".into())
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_aborts() -> TestResult {
    let capture = captured()?;
    capture.flush()?;
    let _more = captured()?;
    std::process::abort();
}

#[snowglobe::test(ignore = "a sample")]
fn sample_that_says_where_keys_are_logged() -> TestResult {
    let own = std::env::var("SSLKEYLOGFILE");
    let lab = shape::pair().start()?;
    let alice = lab.node("alice").ok_or("alice")?;
    let say = "echo ${SSLKEYLOGFILE-nowhere}";
    let nodes = alice.command("sh").args(["-c", say]).output()?;
    let own = own.as_deref().unwrap_or("nowhere");
    snowglobe::note(format!("{own}, {}", nodes.stdout_str()));
    Ok(())
}

/// The time is that in which the lab starts and the packets are written, on a busy machine too.
#[snowglobe::test(ignore = "a sample", timeout = "5s")]
fn sample_that_hangs() -> TestResult {
    let _capture = captured()?;
    loop {
        std::thread::park();
    }
}

/// Runs a sample of its own name, with this value in `SNOWGLOBE_CAPTURE`.
fn sample(name: &str, environment: Option<&str>) -> Run {
    let name = format!("kept::{name}");
    let mut program = this_program();
    program.args(["--exact", &name, "--include-ignored", "--color", "never"]);
    program.envs(environment.map(|value| ("SNOWGLOBE_CAPTURE", value)));
    finished(program.output().expect("this program starts"))
}

/// Returns the capture that a note names.
fn noted(run: &Run) -> Option<PathBuf> {
    let rest = run.stdout.split_once("(note: capture: ")?.1;
    Some(PathBuf::from(rest.split_once(')')?.0))
}

/// Returns the path that the capture of a sample would have.
fn place(name: &str) -> PathBuf {
    let program = std::env::current_exe().expect("this program has a path");
    let tagged = |dir: &&Path| dir.join("CACHEDIR.TAG").exists();
    let above = program.ancestors();
    // An archive of test programs leaves the tag out: target/debug/deps/program.
    let target = above.clone().find(tagged).or_else(|| above.clone().nth(3));
    let captures = target
        .expect("a target directory")
        .join("snowglobe/captures/capture");
    captures.join(format!("kept.{name}.pcapng"))
}

/// Checks that a capture has the three packets of a handshake on every link.
fn is_whole(file: &Path) -> TestResult {
    let syns = read(file, "tcp.flags.syn == 1", &["frame.interface_name"])?;
    assert!(!syns.is_empty() && syns.len() % 2 == 0, "{syns:?}");
    assert_eq!(syns[0], ["alice–bob"]);
    Ok(())
}

#[snowglobe::test(nested, requires(fixture("tshark")))]
fn a_capture_is_kept_if_the_trial_fails_and_removed_if_it_passes() -> TestResult {
    let run = sample("sample_that_fails", None);
    run.failed_with(&["as it should"]);
    let file = noted(&run).ok_or("no note")?;
    assert_eq!(file, place("sample_that_fails"));
    is_whole(&file)?;
    std::fs::remove_file(file)?;

    let run = sample("sample_that_passes", None);
    run.passed_with(&[]);
    assert_eq!(noted(&run), None);
    assert!(!place("sample_that_passes").exists());
    Ok(())
}

#[snowglobe::test(nested, requires(fixture("tshark")))]
fn a_capture_that_is_to_be_kept_is_kept_always() -> TestResult {
    let run = sample("sample_that_passes_and_keeps", None);
    run.passed_with(&[]);
    let file = noted(&run).ok_or("no note")?;
    is_whole(&file)?;
    std::fs::remove_file(file)?;
    Ok(())
}

#[snowglobe::test(nested, requires(fixture("tshark")))]
fn the_environment_can_ask_for_captures_of_everything() -> TestResult {
    for (name, value, kept) in [
        ("sample_that_fails_without_asking", Some("failure"), true),
        ("sample_that_fails_without_asking", Some("off"), false),
        ("sample_that_fails_without_asking", None, false),
        ("sample_that_passes_without_asking", Some("failure"), false),
        ("sample_that_passes_without_asking", Some("always"), true),
    ] {
        let run = sample(name, value);
        let file = noted(&run);
        assert_eq!(file.is_some(), kept, "{name} {value:?} {run:#?}");
        assert_eq!(place(name).exists(), kept, "{name} {value:?}");
        if let Some(file) = file {
            is_whole(&file)?;
            std::fs::remove_file(file)?;
        }
    }
    sample("sample_that_passes_without_asking", Some("yes"))
        .failed_with(&["SNOWGLOBE_CAPTURE is `yes`; it can be `always`, `failure` or `off`"]);
    Ok(())
}

#[snowglobe::test(nested, requires(fixture("tshark")))]
fn what_a_crash_leaves_can_be_read_and_is_noted() -> TestResult {
    let run = sample("sample_that_aborts", None);
    run.failed_with(&["SIGABRT"]);
    let file = noted(&run).ok_or("no note")?;
    assert_eq!(file, place("sample_that_aborts"));
    is_whole(&file)?;
    std::fs::remove_file(file)?;
    Ok(())
}

#[snowglobe::test(nested)]
fn keys_are_logged_where_everything_is_captured_and_nowhere_else() {
    let name = "sample_that_says_where_keys_are_logged";
    let logged = "(note: /tmp/.tls-keys, /tmp/.tls-keys)";
    sample(name, Some("failure")).passed_with(&[logged]);
    sample(name, None).passed_with(&["(note: nowhere, nowhere)"]);
}

#[snowglobe::test(nested, requires(fixture("tshark")))]
fn what_a_timeout_leaves_can_be_read_and_is_noted() -> TestResult {
    let run = sample("sample_that_hangs", None);
    run.failed_with(&["timed out after 5s"]);
    let file = noted(&run).ok_or("no note")?;
    is_whole(&file)?;
    std::fs::remove_file(file)?;
    Ok(())
}
