//! Which starts of the program are alike, so that one resident can serve all.

use std::ffi::{CString, OsStr};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::parent_id;
use std::path::Path;

use crate::kernel::fd::shared_with;
use crate::kernel::process::{self, signal, surroundings};
use crate::runner::args::Arguments;
use crate::runner::nextest;
use crate::runner::registry::definition_named;

/// Features by which starts of the program are alike or not, and those that each has for itself.
#[derive(Debug)]
pub(crate) struct Likeness {
    /// Name at which the resident of such starts listens.
    pub(super) name: String,
    /// Id of the run of nextest.
    pub(super) run: String,
    /// Descriptors that nextest has, beside 0, 1 and 2, and all that it starts.
    pub(super) descriptors: Vec<RawFd>,
    /// Variables of the environment that nextest sets for each start, with their values.
    pub(super) variables: Vec<(CString, CString)>,
}

/// A start of a program with trials, and those that are like it.
#[derive(Debug)]
pub(crate) struct TrialStart {
    pub(super) likeness: Likeness,
    /// Name of the trial.
    pub(super) trial: String,
    /// Place of the trial's name among the arguments of the program.
    pub(super) argument: Option<usize>,
}

impl TrialStart {
    /// Returns the likeness of this start, which has opened nothing yet. Returns nothing where
    /// nextest does not ask for a single trial that is written in this program, and where the start
    /// has something of its own that cannot be compared: a descriptor, a tracer.
    pub(crate) fn of_this_start(args: &Arguments) -> Option<Self> {
        let [trial] = &*args.filters else {
            return None;
        };
        if !args.exact || args.twice {
            return None;
        }
        let start = StartOfRun::current()?;
        definition_named(trial)?;
        let mut argument = None;
        let likeness = start.likeness("trial", |hasher| {
            argument = hash_arguments(trial, hasher);
            Some(())
        })?;
        Some(Self {
            likeness,
            trial: trial.clone(),
            argument,
        })
    }
}

impl Likeness {
    /// Returns the likeness of this start of `snowglobe exec`, which has opened nothing yet.
    /// `settings` are those of the command line, and decide on the world of the program. Returns
    /// nothing outside of a nextest run, and where the start has something of its own that cannot
    /// be compared.
    pub(crate) fn of_program(program: &OsStr, settings: &impl Hash) -> Option<Self> {
        // The resident would keep the value of its first start, and each start has another value.
        if std::env::var_os("LLVM_PROFILE_FILE").is_some() {
            return None;
        }
        StartOfRun::current()?.likeness("program", |hasher| {
            settings.hash(hasher);
            // What is beside the program can be read in the sandbox.
            Path::new(program).parent().hash(hasher);
            process::session().ok()?.hash(hasher);
            signal::was_started_without_pipe().hash(hasher);
            signal::closed_by_caller().hash(hasher);
            Some(())
        })
    }
}

/// A start that nextest has made.
struct StartOfRun {
    run: String,
    slot: u64,
    descriptors: Vec<RawFd>,
}

impl StartOfRun {
    /// Returns this start, if it is one and has no descriptor that nextest does not have.
    fn current() -> Option<Self> {
        let (run, slot) = (nextest::run()?, nextest::slot()?);
        let descriptors = shared_with(parent_id().cast_signed())?;
        Some(Self {
            run,
            slot,
            descriptors,
        })
    }

    /// Returns the likeness of this start, which is of such a `kind` and has `more` to be compared.
    fn likeness(
        self,
        kind: &str,
        more: impl FnOnce(&mut DefaultHasher) -> Option<()>,
    ) -> Option<Likeness> {
        let Self {
            run,
            slot,
            descriptors,
        } = self;
        let mut hasher = DefaultHasher::new();
        (
            kind,
            &run,
            slot,
            parent_id(),
            &descriptors,
            env!("CARGO_PKG_VERSION"),
        )
            .hash(&mut hasher);
        let program = std::fs::metadata("/proc/self/exe").ok()?;
        (program.dev(), program.ino()).hash(&mut hasher);
        (program.mtime(), program.mtime_nsec()).hash(&mut hasher);
        std::env::current_dir().ok()?.hash(&mut hasher);
        more(&mut hasher)?;
        let variables = hash_environment(&mut hasher);
        surroundings::hash_into(&mut hasher)?;
        Some(Likeness {
            name: format!("snowglobe-stay-{:016x}", hasher.finish()),
            run,
            descriptors,
            variables,
        })
    }
}

/// Adds the arguments but the trial's name, and returns the place of that.
fn hash_arguments(trial: &str, hasher: &mut impl Hasher) -> Option<usize> {
    let mut place = None;
    for (at, argument) in std::env::args_os().enumerate() {
        if place.is_none() && argument == *trial {
            place = Some(at);
        } else {
            (at, argument).hash(hasher);
        }
    }
    place
}

/// Adds the environment but what nextest sets for each start, and returns that.
fn hash_environment(hasher: &mut impl Hasher) -> Vec<(CString, CString)> {
    let mut variables = Vec::new();
    let text = |text: &OsStr| CString::new(text.as_bytes()).unwrap_or_default();
    for (name, value) in std::env::vars_os() {
        if nextest::may_set_for_each_start(&name) {
            variables.push((text(&name), text(&value)));
        } else {
            (name, value).hash(hasher);
        }
    }
    variables
}
