//! A test case as a value, whether it was written as a function or made at run time.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::failed::{Failed, Outcome};
use super::options::Options;

/// One test case.
///
/// Most trials come from [`#[snowglobe::test]`](macro@crate::test). Those that are only known at run
/// time, one for each file of a corpus or each cell of a matrix, are made here and handed to
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
    source: Option<Source>,
    body: Body,
    lacks: Option<String>,
}

/// Where a trial was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) file: &'static str,
    pub(crate) line: u32,
}

pub(crate) enum Body {
    Function(fn() -> Result<(), Failed>),
    Closure(Box<dyn FnOnce() -> Result<(), Failed> + Send>),
}

impl Trial {
    /// A trial with the given name, which runs the given closure in a sandbox of its own.
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
        }
    }

    pub(crate) fn registered(definition: &'static Definition) -> Trial {
        Trial {
            name: Cow::Borrowed(definition.trial_name()),
            kind: Cow::Borrowed(""),
            options: definition.options,
            source: Some(Source {
                file: definition.file,
                line: definition.line,
            }),
            body: Body::Function(definition.body),
            lacks: None,
        }
    }

    /// Sets a word that is shown in brackets before the name, as in `test [corpus] a.bin ... ok`.
    pub fn with_kind(self, kind: impl Into<String>) -> Trial {
        Trial {
            kind: Cow::Owned(kind.into()),
            ..self
        }
    }

    /// Whether the trial is ignored unless `--ignored` or `--include-ignored` is given.
    pub fn with_ignored_flag(mut self, ignored: bool) -> Trial {
        self.options.ignore = ignored.then_some("");
        self
    }

    /// How long the trial may take before it is shown where it hangs and killed.
    pub fn timeout(mut self, limit: Duration) -> Trial {
        self.options.timeout = Some(limit);
        self
    }

    /// Sets all options at once.
    pub fn with_options(self, options: Options) -> Trial {
        Trial { options, ..self }
    }

    /// The name, as it is listed and filtered by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The word set by [`Trial::with_kind`], or the empty string.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether the trial is ignored unless asked for.
    pub fn has_ignored_flag(&self) -> bool {
        self.options.ignore.is_some()
    }

    /// The trial's options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Forgets that it is ignored by default.
    pub(crate) fn ask_for(&mut self) {
        self.options.ignore = None;
    }

    /// Notes that something is missing that the trial needs; it is ignored then, unless what it
    /// needs is `required` to be there.
    pub(crate) fn lack(&mut self, reason: String, required: bool) {
        if !required && self.options.ignore.is_none() {
            // One text for each thing that is missing, once a run.
            self.options.ignore = Some(Box::leak(reason.clone().into_boxed_str()));
        }
        self.lacks = Some(reason);
    }

    pub(crate) fn lacks(&self) -> Option<&str> {
        self.lacks.as_deref()
    }

    pub(crate) fn source(&self) -> Option<Source> {
        self.source
    }

    pub(crate) fn into_name_and_body(self) -> (Cow<'static, str>, Body) {
        (self.name, self.body)
    }

    /// The name with its kind, as it is printed.
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

/// What the attribute macro writes down about a test function.
#[doc(hidden)]
#[derive(Debug)]
pub struct Definition {
    /// `crate::module::function`.
    pub path: &'static str,
    /// The name given with `name = "…"`, in place of the last part of the path.
    pub name: Option<&'static str>,
    /// As `file!()` gives it.
    pub file: &'static str,
    /// As `line!()` gives it.
    pub line: u32,
    /// The function, its result made uniform.
    pub body: fn() -> Result<(), Failed>,
    /// Its options.
    pub options: Options,
}

impl Definition {
    /// Whether that is the trial's name; nearly always it is not, which is seen at once.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        match self.name {
            Some(own) => own == name,
            None => self.path.ends_with(name) && self.trial_name() == name,
        }
    }

    /// The name as libtest would list it: the path without the crate.
    pub(crate) fn trial_name(&self) -> &'static str {
        self.name.unwrap_or_else(|| without_crate(self.path))
    }
}

/// Whoever has ten thousand trials looks at ten thousand paths: a single byte is found faster than two.
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
