//! The options of a trial.
//!
//! The attribute macro writes them into a static, so every setter is a `const fn` and every value
//! can stand in a constant.

use std::fmt;
use std::time::Duration;

use super::feature::Feature;
use super::isolation::Isolation;

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
    /// Reason, perhaps an empty one, for which the trial is ignored unless a user asks for it.
    pub(crate) ignore: Option<&'static str>,
    pub(crate) should_panic: ShouldPanic,
    pub(crate) seed: Option<u64>,
    /// Number of seeds with which the trial runs where no seed is asked for.
    pub(crate) seeds: u64,
    pub(crate) needs: &'static [Need],
    pub(crate) isolation: Isolation,
    pub(crate) weight: Weight,
    pub(crate) group: Option<&'static str>,
    pub(crate) allow_panics: bool,
    pub(crate) nested: bool,
    /// User as whom the trial runs. Without one, the trial runs as the user of the run, or as root.
    pub(crate) user: Option<TestUser>,
    pub(crate) private_home: bool,
    /// On a starved machine the trial is inconclusive.
    pub(crate) inconclusive_if_starved: bool,
}

/// A user as whom a trial runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestUser {
    /// The user of this name, or of this number where the name is one.
    Name(&'static str),
    /// The user of this id.
    Id(u32),
}

/// Whether the trial is expected to end with a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShouldPanic {
    /// A panic is a failure.
    No,
    /// A panic is a pass, and its absence a failure.
    Yes,
    /// A panic is a pass if its text contains this, and anything else is a failure.
    With(&'static str),
}

/// Share of the machine that a trial needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The trial needs as much as this many ordinary trials.
    Threads(usize),
    /// The trial needs the whole machine: nothing else runs meanwhile.
    Machine,
}

/// Requirement without which a trial cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// The kernel and the rights of this process must allow this.
    Feature(Feature),
    /// The fixture of this name must have been provisioned.
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
    /// Defaults: a timeout of 60 s (or `SNOWGLOBE_TIMEOUT`), and all six namespaces.
    pub const NEW: Options = Options {
        timeout: None,
        ignore: None,
        should_panic: ShouldPanic::No,
        seed: None,
        seeds: 1,
        needs: &[],
        isolation: Isolation::ALL,
        weight: Weight::Threads(1),
        group: None,
        allow_panics: false,
        nested: false,
        user: None,
        private_home: false,
        inconclusive_if_starved: false,
    };

    /// Sets the time that the trial may take.
    pub const fn timeout(mut self, limit: Duration) -> Options {
        self.timeout = Some(limit);
        self
    }

    /// Makes the trial ignored unless a user asks for it, with a reason to show (may be empty).
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

    /// Sets the seed that [`snowglobe::seed`](crate::seed()) returns.
    ///
    /// Without this option the seed is derived from the run's seed and the trial's name.
    pub const fn seed(mut self, seed: u64) -> Options {
        self.seed = Some(seed);
        self
    }

    /// Makes the trial run with this many seeds, side by side, until one fails.
    ///
    /// Where `SNOWGLOBE_SEED` asks for a seed, the trial runs with that seed alone, and where
    /// `SNOWGLOBE_RUNS` asks for a number of seeds, with so many. A trial whose seed is set runs
    /// once.
    pub const fn seeds(mut self, seeds: u64) -> Options {
        self.seeds = if seeds == 0 { 1 } else { seeds };
        self
    }

    /// Sets what the trial cannot do without.
    ///
    /// Where one of the needs is missing, the trial is ignored with the reason, or fails under
    /// `SNOWGLOBE_REQUIRE=1`.
    pub const fn requires(mut self, needs: &'static [Need]) -> Options {
        self.needs = needs;
        self
    }

    /// Sets the namespaces that the trial gets of its own.
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

    /// Accepts panics on other threads than the test's own.
    pub const fn allow_panics(mut self) -> Options {
        self.allow_panics = true;
        self
    }

    /// Lets the trial make user namespaces of its own.
    pub const fn nested(mut self) -> Options {
        self.nested = true;
        self
    }

    /// Makes the trial run as the ordinary user of this name, who has no capabilities, and as root
    /// with the name `root`. A name of digits is an id.
    ///
    /// Files of the user who runs the tests, such as the workspace, belong to that user inside.
    /// Where root runs the tests and the kernel shows no mount with other ids (on an overlay, or
    /// without the capabilities for it), `/etc/shadow` is one of these files.
    /// `HOME` names a directory of the trial's own, as with
    /// [`private_home`](Options::private_home), and `USER` and `LOGNAME` name the user.
    pub const fn user(mut self, name: &'static str) -> Options {
        self.user = Some(TestUser::Name(name));
        self
    }

    /// Makes the trial run as the user of this id, as [`user`](Options::user) does.
    pub const fn user_id(mut self, uid: u32) -> Options {
        self.user = Some(TestUser::Id(uid));
        self
    }

    /// Makes the trial inconclusive, which is neither passed nor failed, if the machine was starved
    /// while the trial ran: if some thread had to wait for a processor most of that time.
    ///
    /// A run with an inconclusive trial does not pass.
    pub const fn inconclusive_if_starved(mut self) -> Options {
        self.inconclusive_if_starved = true;
        self
    }

    /// Gives the trial a home directory of its own, empty and writable, that `HOME` names.
    pub const fn private_home(mut self) -> Options {
        self.private_home = true;
        self
    }
}
