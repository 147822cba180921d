//! The drop-in mode: `#[snowglobe::test]` under the standard test harness.
//!
//! libtest runs the tests in threads of one process, and a process with threads can make no user
//! namespace (`unshare(2)`: `CLONE_NEWUSER` fails with EINVAL). So the function that libtest calls
//! starts this same program once more, with the trial's path in the environment; there the trial is
//! taken over before `main`, and runs as it would under snowglobe's own harness.
//!
//! The arguments of the program are never touched. Crates that rewrite them for their child lose
//! `--ignored` behind `--nocapture`, and an ignored test that fails is then reported as passed.

use std::process::{Command, Stdio};

use super::args::{Arguments, TRIAL_PATH};
use super::registry::definition;
use super::run::run;
use super::within;
use crate::sandbox::within::is_within_trial;
use crate::trial::{Definition, Trial};

/// Exit code of a trial that was ignored, for something that it needs is missing.
pub(crate) const IGNORED: i32 = 4;

/// Runs the one trial that this process was started for, if it was, and ends.
pub(crate) fn take_over() {
    let Some(path) = std::env::var_os(TRIAL_PATH) else {
        return;
    };
    // A trial may start this program again, as a helper: that process must not take the trial over.
    crate::kernel::process::remove_env(TRIAL_PATH);
    crate::kernel::thread::sigaltstack::stand_in_for_runtime();
    let code = match path.to_str().and_then(definition) {
        Some(definition) => run_alone(asked_for(definition)),
        None => {
            eprintln!(
                "error: `{}` was never registered in this program",
                path.display()
            );
            64
        }
    };
    std::process::exit(code)
}

/// Returns the trial, which runs even if it is ignored: libtest has decided that it runs.
fn asked_for(definition: &'static Definition) -> Trial {
    let mut trial = Trial::registered(definition);
    trial.ask_for();
    trial
}

/// Runs a trial for which this process was started, and returns the exit code of the process.
pub(crate) fn run_alone(trial: Trial) -> i32 {
    let arguments = Arguments::bare();
    let outcome = arguments.and_then(|args| run(&args, vec![trial]));
    match outcome {
        Ok(conclusion) if conclusion.num_ignored > 0 => IGNORED,
        Ok(conclusion) => i32::from(conclusion.code()),
        Err(error) => {
            eprintln!("Error: {error}");
            i32::from(error.exit_code())
        }
    }
}

/// Runs a trial in a new process. libtest calls this in place of the test function.
///
/// # Panics
/// Panics if the trial fails, for so a test fails under libtest.
#[doc(hidden)]
pub fn drop_in(path: &'static str) {
    if !passes(path) {
        // A message of ours would only hide the one that counts.
        std::panic::resume_unwind(Box::new("the trial failed"))
    }
}

/// Runs a trial as [`drop_in`] does, where libtest takes a panic with the text `expected` for a
/// pass, and anything else for a failure.
///
/// # Panics
/// Panics if the trial passes, for so a test passes here.
#[doc(hidden)]
pub fn drop_in_and_panic(path: &'static str, expected: &'static str) {
    if passes(path) {
        std::panic::resume_unwind(Box::new(expected))
    }
}

/// Runs a trial in a new process, shows what that process has written, and returns whether the
/// trial has passed.
#[expect(clippy::print_stdout, reason = "the only way into libtest's capture")]
fn passes(path: &'static str) -> bool {
    let Some(definition) = definition(path) else {
        panic!(
            "`{path}` was never registered: has the linker dropped the section of its registry entry?"
        );
    };
    if is_within_trial()
        && let Some(has_passed) = within::run_on_this_thread(|| asked_for(definition))
    {
        return has_passed;
    }
    let program = std::env::current_exe().expect("the path of this program is known");
    let output = Command::new(program)
        .env(TRIAL_PATH, path)
        .stdin(Stdio::null())
        .output()
        .expect("this program can be started once more");
    let stderr = String::from_utf8_lossy(&output.stderr);
    // Through `print!`, so that libtest captures it for this test.
    print!("{}", String::from_utf8_lossy(&output.stdout));
    match output.status.code() {
        // Past libtest, which has no word for a test that is ignored this late.
        Some(IGNORED) => loudly(&stderr),
        _ => eprint!("{stderr}"),
    }
    matches!(output.status.code(), Some(0 | IGNORED))
}

fn loudly(text: &str) {
    let _ = crate::kernel::fd::write(std::io::stderr(), text.as_bytes());
}
