//! What a test function may return, as the standard harness sees it and a little more.
//!
//! The standard harness takes whatever a `main` may return, and wants no more of an error than
//! `Debug`. An error that displays is shown as it displays, which is for people. No trait can say
//! "this, or else that" of a type, but a call of a method can: the compiler takes the first of the
//! traits below that fits, since each takes the value behind one reference less than the one before
//! (the Rust reference, "Method-call expressions").

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

/// First: a value whose errors display.
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

/// Second: a `Result` whose error has `Debug` only.
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

/// Third: what else a `main` may return.
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

/// Last: a value that no test may return, for which the compiler has a sentence.
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
