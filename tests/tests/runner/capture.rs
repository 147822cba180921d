//! The output of trials is captured, bounded, and shown when it matters.

use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use snowglobe_tests::{run, sample};

#[snowglobe::test(nested)]
fn what_a_passed_trial_writes_is_not_shown() {
    let run = sample("samples::passes");
    run.passed_with(&["samples::passes ... ok"]);
    assert!(!run.stdout.contains("this passes"), "{}", run.stdout);
}

#[snowglobe::test(nested)]
fn show_output_shows_it_under_successes() {
    run(&["--exact", "samples::passes", "--ignored", "--show-output"])
        .passed_with(&["successes:\n\n---- samples::passes stdout ----\nthis passes\n\n"]);
}

#[snowglobe::test(nested)]
fn what_belongs_to_the_tests_thread_is_dropped_before_the_verdict() {
    let sample = "samples::leaves_a_value_to_its_thread";
    run(&["--exact", sample, "--ignored", "--show-output"]).passed_with(&["this value is gone\n"]);
}

#[snowglobe::test(nested)]
fn nocapture_lets_it_through() {
    for option in ["--nocapture", "--no-capture"] {
        let run = run(&["--exact", "samples::panics", "--ignored", option]);
        run.failed_with(&["to stdout\n"]);
        assert!(run.stderr.contains("to stderr\n"), "{}", run.stderr);
        assert!(
            run.stderr.contains("\nthread 'samples::panics' ("),
            "{}",
            run.stderr
        );
    }
}

#[snowglobe::test(nested)]
fn a_failure_is_shown_in_libtests_layout() {
    let run = sample("samples::panics");
    run.failed_with(&[
        "\nrunning 1 test\n",
        "test samples::panics ... FAILED\n",
        "\nfailures:\n\n---- samples::panics stdout ----\n",
        "to stdout\nto stderr\n",
        "\nfailures:\n    samples::panics\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; ",
    ]);
}

#[snowglobe::test(nested)]
fn a_gigabyte_is_cut_and_holds_nothing_up() {
    let run = run(&[
        "--exact",
        "samples::writes_a_gigabyte",
        "--ignored",
        "--show-output",
    ]);
    run.passed_with(&["first line\n", "\nlast line\n", "bytes left out"]);
    assert!(run.stdout.len() < 2 << 20, "{} bytes", run.stdout.len());
}

#[snowglobe::test(nested)]
fn of_much_output_the_beginning_and_the_end_are_shown() {
    sample("samples::writes_a_lot_and_fails").failed_with(&[
        "line 0 of many\n",
        "line 199999 of many\n",
        "at last",
        "bytes left out",
    ]);
}

#[snowglobe::test(nested)]
fn a_reader_that_stops_reading_holds_no_trial_up() {
    use std::io::Read;
    use std::process::Stdio;
    // There are more failures than a pipe takes, and nobody reads until the trials are over.
    let mut child = snowglobe_tests::this_program()
        .args([
            "--include-ignored",
            "samples::writes_a_lot",
            "samples::passes",
            "--format",
            "json",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(101));
    assert!(
        text.contains(r#""passed":1"#),
        "{}",
        &text[text.len() - 300..]
    );
}

/// `poll` calls a terminal writable that has room for less than is to be written: a write of
/// 4,096 bytes waited in 3 of 6 runs (2026-12).
#[snowglobe::test(nested)]
fn a_terminal_that_nobody_reads_holds_no_trial_up() {
    use std::io::Read;
    for round in 0..6 {
        let pty = nix::pty::openpty(None, None).unwrap();
        let log = format!("/tmp/log{round}");
        let mut child = snowglobe_tests::this_program()
            .args(["--include-ignored", "samples::writes_a_lot"])
            .args(["samples::writes_nothing", "--format", "json"])
            .args(["--test-threads", "1", "--logfile", &log])
            .stdout(pty.slave)
            .spawn()
            .unwrap();
        let is_done = || std::fs::read_to_string(&log).is_ok_and(|it| it.lines().count() == 2);
        let done = snowglobe_tests::wait_until(Duration::from_secs(20), is_done);
        let mut text = Vec::new();
        // The end of a terminal that nobody has open is EIO (pty(7)).
        let _ = std::fs::File::from(pty.master).read_to_end(&mut text);
        assert_eq!(child.wait().unwrap().code(), Some(101));
        assert!(
            done,
            "the second trial waits for a reader of the first one's report"
        );
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains(r#""passed":1"#), "{} bytes", text.len());
    }
}

/// A run on a terminal, of whose two trials one has ended, with a report for which the terminal has
/// not enough room, and the other waits.
struct OnTerminal {
    run: Child,
    terminal: OwnedFd,
    _dir: tempfile::TempDir,
}

impl OnTerminal {
    fn start() -> Self {
        let pty = nix::pty::openpty(None, None).unwrap();
        let dir = snowglobe_tests::shared_dir();
        let log = dir.path().join("log");
        let run = snowglobe_tests::this_program()
            .args(["--include-ignored", "samples::writes_a_lot_and_fails"])
            .args(["samples::waits_long", "--format", "json"])
            .args(["--test-threads", "2", "--logfile"])
            .arg(&log)
            .env("SAMPLE_DIR", dir.path())
            .stdout(pty.slave)
            .spawn()
            .unwrap();
        let has_ended = || std::fs::read_to_string(&log).is_ok_and(|it| it.lines().count() == 1);
        assert!(snowglobe_tests::wait_until(
            Duration::from_secs(20),
            has_ended
        ));
        assert!(snowglobe_tests::wait_for_file(&dir.path().join("started")));
        Self {
            run,
            terminal: pty.master,
            _dir: dir,
        }
    }

    fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.run.id() as i32), signal).unwrap();
    }

    /// Returns what the terminal shows until that has this text, or nothing comes for a while: for
    /// less than the 10 seconds after which a run says that a trial is slow.
    fn read_until(&self, text: &str) -> String {
        let mut heard = String::new();
        let mut buffer = [0; 512];
        while !heard.contains(text) {
            let mut polled = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
            if poll(&mut polled, 5_000_u16).unwrap() == 0 {
                break;
            }
            // The end of a terminal that nobody has open is EIO (pty(7)).
            let Ok(count) = nix::unistd::read(&self.terminal, &mut buffer) else {
                break;
            };
            heard += &String::from_utf8_lossy(&buffer[..count]);
        }
        heard
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.run.kill();
        let _ = self.run.wait();
    }
}

/// Beginning of the panic at the end of the long report.
const END: &str = "at last";

#[snowglobe::test(nested)]
fn a_terminal_gets_the_rest_when_it_is_read() {
    let text = OnTerminal::start().read_until(END);
    assert!(text.contains(END), "{} bytes", text.len());
}

#[snowglobe::test(nested)]
fn a_second_signal_loses_nothing_of_a_report_that_is_read() {
    let on_terminal = OnTerminal::start();
    on_terminal.send(Signal::SIGINT);
    // Another signal: two of the same that are pending are one (signal(7)).
    on_terminal.send(Signal::SIGTERM);
    let text = on_terminal.read_until(END);
    assert!(text.contains(END), "{} bytes", text.len());
}
