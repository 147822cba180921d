//! `snowglobe exec --stress`: copies of a program, each in a world of its own, until one fails.
//!
//! Each copy is this command once more, so that a copy has exactly the world and the end that the
//! program has without `--stress`.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use snowglobe::Stress;
use snowglobe::exec::usual_copies;
use snowglobe_model::failure_rate::FailureRate;

use crate::commands::Words;
use crate::exec::FAILED;

/// Prefix of the value that the option has in a copy; the id of the process that runs the copies
/// follows.
const COPY: &str = "copy-of-";

/// Returns the id of the process that runs the copies, if a value of the option has the prefix.
pub(crate) fn original(value: &str) -> Option<u32> {
    value.strip_prefix(COPY)?.parse().ok()
}

/// Runs copies of the command `exec` with these words, and returns the exit code of the first that
/// failed, or 0.
///
/// # Errors
/// A copy cannot be started, or what it writes cannot be read.
pub(crate) fn run(length: Stress, words: &Words) -> Result<u8, String> {
    let together = usual_copies();
    let start = Instant::now();
    let (sender, ends) = channel();
    let (mut begun, mut running) = (0_u64, 0);
    let mut rate = FailureRate::default();
    let mut first: Option<u8> = None;
    loop {
        while running < together && first.is_none() && length.wants_more(begun, start) {
            let child = copy(words).spawn();
            let child = child.map_err(|error| format!("cannot start a copy: {error}"))?;
            let sender = sender.clone();
            // A thread reads what a copy writes, so that no copy waits for its reader.
            thread::spawn(move || {
                // Nobody waits for the copies any more where the receiver is gone.
                let _ = sender.send(child.wait_with_output());
            });
            begun += 1;
            running += 1;
        }
        if running == 0 {
            break;
        }
        let Ok(output) = ends.recv() else {
            break;
        };
        let output = output.map_err(|error| format!("cannot read what a copy writes: {error}"))?;
        running -= 1;
        rate.runs += 1;
        if !output.status.success() {
            rate.failures += 1;
            // Copies that were running when the first one failed count as well: without them, the
            // rate would leave out those that take long. Their output is not shown.
            first.get_or_insert_with(|| {
                let code = show(&output);
                if running > 0 {
                    eprintln!(
                        "snowglobe exec: a copy has failed; the rate follows when all other running copies ({running}) have ended"
                    );
                }
                code
            });
        }
    }
    eprintln!("snowglobe exec: {rate}");
    Ok(first.unwrap_or_default())
}

/// Returns the command that runs one copy. Its first `--stress` counts.
fn copy(words: &Words) -> Command {
    let program = std::env::current_exe().unwrap_or_else(|_| OsString::from("snowglobe").into());
    let mut command = Command::new(program);
    command
        .args(["exec", "--stress"])
        .arg(format!("{COPY}{}", std::process::id()))
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Shows what a copy wrote, and returns its exit code as a shell has it.
fn show(output: &Output) -> u8 {
    // Where nobody reads it, the exit code still tells.
    let _ = std::io::stdout().write_all(&output.stdout);
    let _ = std::io::stderr().write_all(&output.stderr);
    let signal = || 128 + output.status.signal().unwrap_or_default();
    let code = output.status.code().unwrap_or_else(signal);
    u8::try_from(code).unwrap_or(FAILED)
}
