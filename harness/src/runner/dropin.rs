//! The drop-in mode: `#[snowglobe::test]` under the standard test harness.
//!
//! libtest runs the tests in threads of one process, and a process with threads can make no user
//! namespace. So the function that libtest calls starts this same program once more, with the
//! trial's path in the environment; there the trial is taken over before `main`, and runs as it
//! would under snowglobe's own harness. The arguments are never touched: other crates that rewrite
//! them make ignored tests pass that fail.

use std::process::{Command, Stdio};

use super::args::Arguments;
use super::registry::definition;
use super::run::run;
use crate::trial::Trial;

/// The path of the trial that this process was started for.
const VARIABLE: &str = "SNOWGLOBE_TRIAL_PATH";
/// How the process ends when the trial was not run for want of something; passes end with 0.
const IGNORED: i32 = 4;

/// Runs the one trial that this process was started for, if it was, and ends.
pub(crate) fn take_over() {
    let Some(path) = std::env::var_os(VARIABLE) else {
        return;
    };
    // Programs that the trial starts, this one among them, are none of our business.
    crate::kernel::process::remove_env(VARIABLE);
    crate::kernel::thread::sigaltstack::stand_in_for_runtime();
    let code = match path.to_str().and_then(definition) {
        Some(definition) => run_alone(Trial::registered(definition)),
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

fn run_alone(mut trial: Trial) -> i32 {
    // Whether it is ignored has been libtest's to decide.
    trial.ask_for();
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

/// What libtest calls in place of the test function.
#[doc(hidden)]
#[expect(clippy::print_stdout, reason = "the only way into libtest's capture")]
pub fn drop_in(path: &'static str) {
    assert!(
        definition(path).is_some(),
        "`{path}` was never registered: has the linker dropped the section of its registry entry?"
    );
    let program = std::env::current_exe().expect("the path of this program is known");
    let output = Command::new(program)
        .env(VARIABLE, path)
        .stdin(Stdio::null())
        .output()
        .expect("this program can be started once more");
    let stderr = String::from_utf8_lossy(&output.stderr);
    // Through `print!`, so that libtest captures it for this test.
    print!("{}", String::from_utf8_lossy(&output.stdout));
    match output.status.code() {
        Some(0) => eprint!("{stderr}"),
        // Past libtest, which has no word for a test that is ignored this late.
        Some(IGNORED) => loudly(&stderr),
        _ => {
            eprint!("{stderr}");
            // A message of ours would only hide the one that counts.
            std::panic::resume_unwind(Box::new("the trial failed"))
        }
    }
}

fn loudly(text: &str) {
    let _ = crate::kernel::fd::write(std::io::stderr(), text.as_bytes());
}
