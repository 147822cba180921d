//! The entrance of a test program: what `snowglobe::main!` expands to.

use std::process::ExitCode;

use super::args::Arguments;
use super::conclusion::Conclusion;
use super::list;
use super::registry::registered_for;
use super::run::{Caller, run_for};
use crate::kernel::process::reader::reads_tests;
use crate::trial::Trial;

/// Runs what the command line asks for, and returns the exit code.
///
/// `doubt` says why it is not known whether tests of other macros were dropped from this program,
/// or nothing; `more` makes the trials that are known at run time only.
#[doc(hidden)]
#[inline(always)]
pub fn main(doubt: &str, more: impl FnOnce() -> Vec<Trial>) -> ExitCode {
    reads_tests();
    let outcome = Arguments::from_env().and_then(|args| {
        if args.help {
            list::write("the help", &Arguments::help())?;
            return Ok(Conclusion::default());
        }
        if !doubt.is_empty() && !args.list {
            eprintln!(
                "note: tests that other attributes or macros than #[snowglobe::test] have made are not in this program, which has `harness = false`; whether there are any could not be found out: {doubt}"
            );
        }
        let (mut trials, left_out) = registered_for(&args);
        trials.extend(more());
        run_for(Caller::Entry { left_out }, &args, trials)
    });
    match outcome {
        Ok(conclusion) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
