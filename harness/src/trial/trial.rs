//! A test case as a value.
//!
//! Test functions are known when the program is built; the cells of a matrix and the files of a
//! corpus are known only when it runs. The runner handles both alike, as values of [`Trial`].

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::failed::{Failed, Outcome};
use super::options::Options;
use crate::kernel::process::user::Account;
use crate::model::random::seed_for;

/// One test case.
///
/// Most trials come from [`#[snowglobe::test]`](macro@crate::test). Those that are only known at
/// run time, one for each file of a corpus or each cell of a matrix, are made here and handed to
/// [`snowglobe::main!`](crate::main) or [`run`](crate::run()).
///
/// ```
/// use snowglobe::Trial;
/// use std::time::Duration;
///
/// let trials: Vec<Trial> = [1u16, 80, 443]
///     .into_iter()
///     .map(|port| {
///         Trial::test(format!("binds::port_{port}"), move || {
///             std::net::TcpListener::bind(("0.0.0.0", port)).map(drop)
///         })
///         .timeout(Duration::from_secs(5))
///     })
///     .collect();
/// assert_eq!(trials[1].name(), "binds::port_80");
/// ```
pub struct Trial {
    name: Cow<'static, str>,
    kind: Cow<'static, str>,
    options: TrialOptions,
    source: Option<SourceLine>,
    body: TestBody,
    lack: Option<Lack>,
    /// User as whom the body runs, unless that is root.
    account: Option<Account>,
}

/// Something that the trial needs and this machine does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lack {
    reason: String,
    effect: LackEffect,
}

/// What becomes of a trial that this machine cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LackEffect {
    /// The trial is ignored, and the report tells the reason.
    Ignored,
    /// The trial fails.
    Fails,
}

/// The options of a trial.
///
/// Options that a macro has written down stay where they are. A program with ten thousand trials
/// would copy 1.4 MB of them at each start.
#[derive(Debug)]
enum TrialOptions {
    WrittenDown(&'static Options),
    Own(Box<Options>),
}

impl TrialOptions {
    fn own(options: Options) -> Self {
        Self::Own(Box::new(options))
    }

    fn get(&self) -> &Options {
        match self {
            Self::WrittenDown(options) => options,
            Self::Own(options) => options,
        }
    }

    /// Changes the options of this trial alone.
    fn change(&mut self, change: impl FnOnce(&mut Options)) {
        let mut own = *self.get();
        change(&mut own);
        *self = Self::own(own);
    }
}

/// Place in the source where a trial is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceLine {
    pub(crate) file: &'static str,
    pub(crate) line: u32,
}

/// Test function of a trial, which runs once.
pub(crate) enum TestBody {
    /// A function with the attribute.
    Function(fn() -> Result<(), Failed>),
    /// A closure that was made at run time.
    Closure(Box<dyn FnOnce() -> Result<(), Failed> + Send>),
}

impl Trial {
    /// Makes a trial of the given name that runs the given closure in a sandbox of its own.
    ///
    /// The closure may return `()` or any `Result` whose error displays.
    pub fn test<R, O>(name: impl Into<String>, body: R) -> Trial
    where
        R: FnOnce() -> O + Send + 'static,
        O: Outcome,
    {
        Trial {
            name: Cow::Owned(name.into()),
            kind: Cow::Borrowed(""),
            options: TrialOptions::WrittenDown(&Options::NEW),
            source: None,
            body: TestBody::Closure(Box::new(move || body().into_outcome())),
            lack: None,
            account: None,
        }
    }

    /// Makes the trial that the attribute macro has written down.
    pub(crate) fn registered(definition: &'static Definition) -> Trial {
        Trial {
            name: Cow::Borrowed(definition.trial_name()),
            kind: Cow::Borrowed(""),
            options: TrialOptions::WrittenDown(definition.options),
            source: Some(SourceLine {
                file: definition.file,
                line: definition.line,
            }),
            body: TestBody::Function(definition.body),
            lack: None,
            account: None,
        }
    }

    /// Sets a word that is shown in brackets before the name, as in `test [corpus] a.bin ... ok`.
    pub fn with_kind(self, kind: impl Into<String>) -> Trial {
        Trial {
            kind: Cow::Owned(kind.into()),
            ..self
        }
    }

    /// Sets whether the trial is ignored unless `--ignored` or `--include-ignored` is given.
    pub fn with_ignored_flag(mut self, ignored: bool) -> Trial {
        let ignore = ignored.then_some("");
        self.options.change(|options| options.ignore = ignore);
        self
    }

    /// Sets the time after which the runner shows where the trial hangs, and kills it.
    pub fn timeout(mut self, limit: Duration) -> Trial {
        self.options.change(|options| options.timeout = Some(limit));
        self
    }

    /// Sets all options at once.
    pub fn with_options(self, options: Options) -> Trial {
        Trial {
            options: TrialOptions::own(options),
            ..self
        }
    }

    /// Returns the name that lists show and filters match.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the word set by [`Trial::with_kind`], or the empty string.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns whether the trial is ignored unless a user asks for it.
    pub fn has_ignored_flag(&self) -> bool {
        self.ignore_reason().is_some()
    }

    /// Returns the reason, perhaps an empty one, for which the trial is ignored unless a user asks
    /// for it.
    pub(crate) fn ignore_reason(&self) -> Option<&str> {
        let by_lack = || {
            let lack = self
                .lack
                .as_ref()
                .filter(|lack| lack.effect == LackEffect::Ignored)?;
            Some(&*lack.reason)
        };
        self.options().ignore.or_else(by_lack)
    }

    /// Returns the trial's options.
    pub fn options(&self) -> &Options {
        self.options.get()
    }

    /// Makes the trial run although its options say that it is ignored.
    pub(crate) fn ask_for(&mut self) {
        if self.options().ignore.is_some() {
            self.options.change(|options| options.ignore = None);
        }
    }

    /// Notes the reason for which this machine cannot run the trial, and what becomes of the trial.
    pub(crate) fn set_lack(&mut self, reason: String, effect: LackEffect) {
        self.lack = Some(Lack { reason, effect });
    }

    /// Returns the reason for which this machine cannot run the trial.
    pub(crate) fn lack(&self) -> Option<&str> {
        self.lack.as_ref().map(|lack| &*lack.reason)
    }

    /// Makes the body run as this user, or as root without one.
    pub(crate) fn set_account(&mut self, account: Option<Account>) {
        self.account = account;
    }

    /// Returns the user as whom the body runs, unless that is root.
    pub(crate) fn account(&self) -> Option<Account> {
        self.account
    }

    /// Returns the place in the source, for a trial that is written there.
    pub(crate) fn source(&self) -> Option<SourceLine> {
        self.source
    }

    /// Takes the trial apart, for the process that runs it.
    pub(crate) fn into_name_and_body(self) -> (Cow<'static, str>, TestBody) {
        (self.name, self.body)
    }

    /// Returns the trial with a test function that does nothing, for reports on a trial whose own
    /// function is run.
    pub(crate) fn without_body(&self) -> Trial {
        Trial {
            name: self.name.clone(),
            kind: self.kind.clone(),
            options: TrialOptions::own(*self.options()),
            source: self.source,
            body: TestBody::Function(|| Ok(())),
            lack: self.lack.clone(),
            account: self.account,
        }
    }

    /// Returns the name with its kind, as reports print it.
    pub(crate) fn label(&self) -> String {
        if self.kind.is_empty() {
            self.name.to_string()
        } else {
            format!("[{}] {}", self.kind, self.name)
        }
    }

    /// Returns the seed of the trial's own random choices in a run with this seed.
    pub(crate) fn seed_in(&self, run_seed: u64) -> u64 {
        let derived = || seed_for(run_seed, &self.name);
        self.options().seed.unwrap_or_else(derived)
    }
}

impl TestBody {
    /// Runs the test function.
    ///
    /// # Errors
    /// Fails as the test function fails.
    pub(crate) fn run(self) -> Result<(), Failed> {
        match self {
            TestBody::Function(function) => function(),
            TestBody::Closure(closure) => closure(),
        }
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("options", self.options())
            .finish_non_exhaustive()
    }
}

/// Entry of the registry: everything that the attribute macro knows about a test function.
#[doc(hidden)]
#[derive(Debug)]
pub struct Definition {
    /// Path of the function, as in `crate::module::function`.
    pub path: &'static str,
    /// Name given with `name = "…"`, in place of the last part of the path.
    pub name: Option<&'static str>,
    /// Source file, from `file!()`.
    pub file: &'static str,
    /// Line in the source file, from `line!()`.
    pub line: u32,
    /// Test function, with its result made uniform.
    pub body: fn() -> Result<(), Failed>,
    /// Options of the trial. They lie elsewhere, since the loader writes to the pages in which this
    /// entry lies: it relocates the addresses in it, and the kernel copies each page for that.
    pub options: &'static Options,
}

impl Definition {
    /// Returns whether `name` is the name of the trial.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        match self.name {
            Some(own) => own == name,
            // Nearly always the names differ, and nearly always in their last bytes.
            None => self.path.ends_with(name) && self.trial_name() == name,
        }
    }

    /// Returns the name that libtest would list: the path without the crate.
    pub(crate) fn trial_name(&self) -> &'static str {
        self.name.unwrap_or_else(|| without_crate(self.path))
    }
}

/// Returns a path without its first part.
fn without_crate(path: &'static str) -> &'static str {
    // A program with ten thousand trials does this ten thousand times, and a search for one byte
    // (`memchr`) is faster than one for two.
    let rest = path
        .split_once(':')
        .and_then(|(_, rest)| rest.strip_prefix(':'));
    rest.unwrap_or(path)
}

snowglobe_kernel::linked_slice!(
    /// All trials that `#[snowglobe::test]` has written down in this program. The name of the
    /// section has the version in it, so that two versions of this crate do not meet there.
    #[doc(hidden)]
    pub static TRIALS: [Definition] in "snowglobe_trials_0_1_0", "__start_snowglobe_trials_0_1_0", "__stop_snowglobe_trials_0_1_0"
);
