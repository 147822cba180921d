//! The values that a test function may return: those of the standard harness, and a few more.
//!
//! The standard harness takes whatever a `main` may return, and needs no more of an error than
//! `Debug`. An error with `Display` is shown by `Display`, which is meant for people. A trait bound
//! cannot say "this trait, or else that one", but a method call can: the compiler takes the first
//! of the traits below that fits, since each takes the value behind one reference less than the one
//! before (the Rust reference, "Method-call expressions").

use std::cell::Cell;
use std::fmt::Debug;
use std::process::{ExitCode, Termination};

use super::failed::{Failed, Outcome};

/// Value that a test function has returned.
pub struct Returned<T>(Cell<Option<T>>);

impl<T> Returned<T> {
    /// Takes the value.
    pub fn new(value: T) -> Self {
        Self(Cell::new(Some(value)))
    }

    fn take(&self) -> T {
        let value = self.0.take();
        value.expect("the value is taken once")
    }
}

/// First choice: a value whose error has `Display`.
pub trait OutcomeByDisplay {
    /// Returns success, or the reason of the failure.
    #[doc(hidden)]
    fn outcome(&self) -> Result<(), Failed>;
}

impl<T: Outcome> OutcomeByDisplay for &&&Returned<T> {
    fn outcome(&self) -> Result<(), Failed> {
        self.take().into_outcome()
    }
}

/// Second choice: a `Result` whose error has `Debug` only.
pub trait OutcomeByDebug {
    /// Returns success, or the reason of the failure.
    #[doc(hidden)]
    fn outcome(&self) -> Result<(), Failed>;
}

impl<T: Termination, E: Debug> OutcomeByDebug for &&Returned<Result<T, E>> {
    fn outcome(&self) -> Result<(), Failed> {
        match self.take() {
            Ok(value) => of_exit_code(value.report()),
            Err(error) => Err(Failed::without_location(format!("{error:?}"))),
        }
    }
}

/// Third choice: every other value that a `main` may return.
pub trait OutcomeByExitCode {
    /// Returns success, or the reason of the failure.
    #[doc(hidden)]
    fn outcome(&self) -> Result<(), Failed>;
}

impl<T: Termination> OutcomeByExitCode for &Returned<T> {
    fn outcome(&self) -> Result<(), Failed> {
        of_exit_code(self.take().report())
    }
}

/// Last choice: a value that no test may return, which the compiler reports.
pub trait NoOutcome<T> {
    /// Does not compile, unless a trait above fits better.
    #[doc(hidden)]
    fn outcome(&self) -> Result<(), Failed>
    where
        T: Outcome;
}

impl<T> NoOutcome<T> for Returned<T> {
    fn outcome(&self) -> Result<(), Failed>
    where
        T: Outcome,
    {
        self.take().into_outcome()
    }
}

fn of_exit_code(code: ExitCode) -> Result<(), Failed> {
    if code == ExitCode::SUCCESS {
        return Ok(());
    }
    Err(Failed::without_location(format!(
        "the test returned {code:?}, which stands for a failure"
    )))
}
