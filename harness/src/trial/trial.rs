//! A test case as a value, whether it was written as a function or made at run time.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::failed::{Failed, Outcome};
use super::options::Options;

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
    options: Options,
    source: Option<SourceLine>,
    body: Body,
    /// Reason for which something that the trial needs is missing.
    lacks: Option<String>,
    /// Whether the trial is ignored for what is missing.
    ignored_for_lack: bool,
}

/// The place in the source where a trial was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceLine {
    /// Path of the file, as `file!()` gives it.
    pub(crate) file: &'static str,
    /// Number of the line.
    pub(crate) line: u32,
}

/// The code of a trial.
pub(crate) enum Body {
    Function(fn() -> Result<(), Failed>),
    Closure(Box<dyn FnOnce() -> Result<(), Failed> + Send>),
}

impl Trial {
    /// Makes a trial with the given name, which runs the given closure in a sandbox of its own.
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
            options: Options::NEW,
            source: None,
            body: Body::Closure(Box::new(move || body().into_outcome())),
            lacks: None,
            ignored_for_lack: false,
        }
    }

    pub(crate) fn registered(definition: &'static Definition) -> Trial {
        Trial {
            name: Cow::Borrowed(definition.trial_name()),
            kind: Cow::Borrowed(""),
            options: definition.options,
            source: Some(SourceLine {
                file: definition.file,
                line: definition.line,
            }),
            body: Body::Function(definition.body),
            lacks: None,
            ignored_for_lack: false,
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
        self.options.ignore = ignored.then_some("");
        self
    }

    /// Sets the time that the trial may take. Then it is shown where the trial hangs, and the trial
    /// is killed.
    pub fn timeout(mut self, limit: Duration) -> Trial {
        self.options.timeout = Some(limit);
        self
    }

    /// Sets all options at once.
    pub fn with_options(self, options: Options) -> Trial {
        Trial { options, ..self }
    }

    /// Returns the name by which the trial is listed and filtered.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the word set by [`Trial::with_kind`], or the empty string.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns whether the trial is ignored unless asked for.
    pub fn has_ignored_flag(&self) -> bool {
        self.options.ignore.is_some() || self.ignored_for_lack
    }

    /// Returns the reason for which the trial is ignored, or the empty string.
    pub(crate) fn ignore_reason(&self) -> &str {
        let lack = self.lacks().filter(|_| self.ignored_for_lack);
        lack.or(self.options.ignore).unwrap_or("")
    }

    /// Returns the trial's options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Makes the trial run although it is ignored by default.
    pub(crate) fn ask_for(&mut self) {
        self.options.ignore = None;
        self.ignored_for_lack = false;
    }

    /// Notes that something is missing that the trial needs. The trial is ignored then, unless what
    /// is missing is `required` to be there.
    pub(crate) fn lack(&mut self, reason: String, required: bool) {
        self.ignored_for_lack = !required && self.options.ignore.is_none();
        self.lacks = Some(reason);
    }

    pub(crate) fn lacks(&self) -> Option<&str> {
        self.lacks.as_deref()
    }

    pub(crate) fn source(&self) -> Option<SourceLine> {
        self.source
    }

    pub(crate) fn into_name_and_body(self) -> (Cow<'static, str>, Body) {
        (self.name, self.body)
    }

    /// Returns the name with its kind, as it is printed.
    pub(crate) fn label(&self) -> String {
        if self.kind.is_empty() {
            self.name.to_string()
        } else {
            format!("[{}] {}", self.kind, self.name)
        }
    }
}

impl Body {
    pub(crate) fn run(self) -> Result<(), Failed> {
        match self {
            Body::Function(function) => function(),
            Body::Closure(closure) => closure(),
        }
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A test function as the attribute macro writes it down.
#[doc(hidden)]
#[derive(Debug)]
pub struct Definition {
    /// Path of the function, as `crate::module::function`.
    pub path: &'static str,
    /// The name given with `name = "…"`, in place of the last part of the path.
    pub name: Option<&'static str>,
    /// File of the function, as `file!()` gives it.
    pub file: &'static str,
    /// Line of the function, as `line!()` gives it.
    pub line: u32,
    /// The function, with a result of one type for all.
    pub body: fn() -> Result<(), Failed>,
    /// Options in the attribute.
    pub options: Options,
}

impl Definition {
    /// Returns whether `name` is the trial's. Nearly always it is not, which the end of the path
    /// shows at once.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        match self.name {
            Some(own) => own == name,
            None => self.path.ends_with(name) && self.trial_name() == name,
        }
    }

    /// Returns the name as libtest would list it: the path without the crate.
    pub(crate) fn trial_name(&self) -> &'static str {
        self.name.unwrap_or_else(|| without_crate(self.path))
    }
}

/// Returns a path without its crate.
///
/// A program with ten thousand trials does this for ten thousand paths, and a single byte is found
/// faster than two.
pub(crate) fn without_crate(path: &'static str) -> &'static str {
    let rest = path
        .split_once(':')
        .and_then(|(_, rest)| rest.strip_prefix(':'));
    rest.unwrap_or(path)
}

/// All trials that `#[snowglobe::test]` has written down in this program.
#[doc(hidden)]
#[linkme::distributed_slice]
pub static TRIALS: [Definition];
