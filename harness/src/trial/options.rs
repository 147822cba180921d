//! Options of a trial.

use std::fmt;
use std::time::Duration;

use super::Feature;
use super::Isolation;

/// The options of a trial, as `#[snowglobe::test(…)]` sets them.
///
/// ```
/// use snowglobe::{Isolation, Options};
/// use std::time::Duration;
///
/// let options = Options::NEW
///     .timeout(Duration::from_secs(5))
///     .isolation(Isolation::ALL.without(Isolation::NET));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub(crate) timeout: Option<Duration>,
    pub(crate) ignore: Option<&'static str>,
    pub(crate) should_panic: ShouldPanic,
    pub(crate) seed: Option<u64>,
    pub(crate) needs: &'static [Need],
    pub(crate) isolation: Isolation,
    pub(crate) weight: Weight,
    pub(crate) group: Option<&'static str>,
    pub(crate) allow_panics: bool,
    pub(crate) nested: bool,
}

/// Whether a panic is what the trial is expected to end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShouldPanic {
    /// A panic is a failure.
    No,
    /// A panic is a pass, and its absence a failure.
    Yes,
    /// A panic is a pass if its text contains this one.
    With(&'static str),
}

/// Share of the machine that a trial needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The trial counts as this many ordinary trials.
    Threads(usize),
    /// The trial needs the whole machine: nothing else runs meanwhile.
    Machine,
}

/// Something that a trial cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Something that the kernel must be able to do here.
    Feature(Feature),
    /// A provisioned fixture.
    Fixture(&'static str),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Feature(feature) => write!(f, "{feature}"),
            Need::Fixture(name) => write!(f, "fixture `{name}`"),
        }
    }
}

impl Options {
    /// The defaults: a timeout of 60 s (or `SNOWGLOBE_TIMEOUT`), all six namespaces.
    pub const NEW: Options = Options {
        timeout: None,
        ignore: None,
        should_panic: ShouldPanic::No,
        seed: None,
        needs: &[],
        isolation: Isolation::ALL,
        weight: Weight::Threads(1),
        group: None,
        allow_panics: false,
        nested: false,
    };

    /// Sets the time that the trial may take.
    pub const fn timeout(mut self, limit: Duration) -> Options {
        self.timeout = Some(limit);
        self
    }

    /// Makes the trial ignored unless asked for, with a reason to show (or the empty string).
    pub const fn ignore(mut self, reason: &'static str) -> Options {
        self.ignore = Some(reason);
        self
    }

    /// Makes a panic a pass, and its absence a failure.
    pub const fn should_panic(mut self) -> Options {
        self.should_panic = ShouldPanic::Yes;
        self
    }

    /// Makes a panic a pass if its text contains `expected`.
    pub const fn should_panic_with(mut self, expected: &'static str) -> Options {
        self.should_panic = ShouldPanic::With(expected);
        self
    }

    /// Sets the seed that [`snowglobe::seed`](crate::seed) returns, in place of one from the run's.
    pub const fn seed(mut self, seed: u64) -> Options {
        self.seed = Some(seed);
        self
    }

    /// Sets what the trial cannot do without. Where one of these is missing the trial is ignored,
    /// with the reason shown; under `SNOWGLOBE_REQUIRE=1` it fails there.
    pub const fn requires(mut self, needs: &'static [Need]) -> Options {
        self.needs = needs;
        self
    }

    /// Sets the namespaces that the trial has of its own.
    pub const fn isolation(mut self, isolation: Isolation) -> Options {
        self.isolation = isolation;
        self
    }

    /// Makes the trial count as this many ordinary trials against `--test-threads`.
    pub const fn threads(mut self, threads: usize) -> Options {
        self.weight = Weight::Threads(if threads == 0 { 1 } else { threads });
        self
    }

    /// Makes the trial run while nothing else runs.
    pub const fn exclusive(mut self) -> Options {
        self.weight = Weight::Machine;
        self
    }

    /// Makes the trial run while no other trial of the same group runs.
    pub const fn group(mut self, group: &'static str) -> Options {
        self.group = Some(group);
        self
    }

    /// Permits panics on other threads than the test's own: they are no failure by themselves.
    pub const fn allow_panics(mut self) -> Options {
        self.allow_panics = true;
        self
    }

    /// Permits the trial to make user namespaces of its own.
    pub const fn nested(mut self) -> Options {
        self.nested = true;
        self
    }
}
