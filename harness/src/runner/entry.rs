//! The entrance of a test program: what `snowglobe::main!` expands to.

use std::process::ExitCode;

use super::args::Arguments;
use super::conclusion::Conclusion;
use super::error::{RunError, usage};
use super::list;
use super::registry::registered_for;
use super::run::run_counted;
use crate::trial::Trial;

/// Runs what the command line asks for, and returns the exit code.
///
/// `stripped` are the places of plain `#[test]` functions that the compiler has dropped, and `more`
/// makes the trials that are known at run time only.
#[doc(hidden)]
pub fn main(stripped: &[&str], more: impl FnOnce() -> Vec<Trial>) -> ExitCode {
    let outcome = Arguments::from_env().and_then(|args| {
        if args.help {
            list::write("the help", &Arguments::help())?;
            return Ok(Conclusion::default());
        }
        // After `--help`, which should answer even in a program that is wrong.
        if let Some(first) = stripped.first() {
            return Err(never_run(stripped.len(), first));
        }
        let (mut trials, left_out) = registered_for(&args);
        trials.extend(more());
        run_counted(&args, trials, left_out)
    });
    match outcome {
        Ok(conclusion) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Makes the error about functions with a plain `#[test]`.
///
/// With `harness = false` cargo does not pass `--test` to rustc, which then drops these functions
/// without a word: they would seem to pass.
fn never_run(count: usize, first: &str) -> RunError {
    let functions = if count == 1 {
        "a function"
    } else {
        "functions"
    };
    usage(format!(
        "{functions} with a plain #[test] would never run, for this target has `harness = false` ({first}): write #[snowglobe::test], or move it to another target"
    ))
}
