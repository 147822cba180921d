//! The program, and the way to run it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::body::{self, Inside};
use super::error::ExecError;
use super::watch::Watch;
use crate::kernel::process;
use crate::runner::{Likeness, ProgramSetup, Runner, enter_program, look_up, usual_threads};
use crate::sandbox::paths::Paths;
use crate::sandbox::trial::program::ProgramBody;
use crate::sandbox::within::is_within_trial;
use crate::trial::{Options, Trial};

/// A program, and the world in which it is to run.
#[derive(Clone, Debug, Default)]
pub struct WrappedProgram {
    /// The program and its arguments.
    pub words: Vec<OsString>,
    /// File of a topology, in a node of which the program is to run.
    pub topology: Option<PathBuf>,
    /// Name of that node; may be left out where there is one node only.
    pub node: Option<String>,
    /// Volumes of that node, as `PATH` or `NAME:PATH`.
    pub volumes: Vec<String>,
    /// User as whom the program runs, without capabilities.
    pub user: Option<String>,
    /// Time after which the program is killed.
    pub timeout: Option<Duration>,
    /// Directory for a capture of all links of the topology.
    pub capture: Option<PathBuf>,
    /// The world is kept when the program has failed.
    pub keep: bool,
    /// The program may make user namespaces.
    pub nested: bool,
    /// Further directories to which the program may write.
    pub writable: Vec<PathBuf>,
}

impl WrappedProgram {
    /// Returns whether the body becomes the program, and makes no lab for it.
    pub(super) fn is_in_no_lab(&self) -> bool {
        let Self {
            topology,
            node,
            volumes,
            capture,
            ..
        } = self;
        topology.is_none() && node.is_none() && volumes.is_empty() && capture.is_none()
    }
}

/// Returns how many copies of a program run at a time in a stress test: as many as trials of a run.
pub fn usual_copies() -> usize {
    usual_threads()
}

/// Makes this process one of the copies of a stress test: it ends with the process that started it,
/// and so does its program.
///
/// # Errors
/// The process of this id is not the parent, or the system refused.
pub fn end_with_parent(parent: u32) -> Result<(), ExecError> {
    process::die_with_parent().map_err(|errno| {
        ExecError::Words(format!(
            "cannot ask for a signal at the end of the parent process: {errno}"
        ))
    })?;
    // The kernel sends no signal for a parent that has ended before the request (`prctl(2)`).
    match std::os::unix::process::parent_id() == parent {
        true => Ok(()),
        false => Err(ExecError::Words("the stress test has ended".to_owned())),
    }
}

/// Runs a program in a world of its own, and ends this process as the program has ended.
///
/// # Errors
/// No world can be made. Where the world was made and the program cannot be started, this process
/// ends with 127 or 126, as a shell does.
pub fn exec(program: WrappedProgram) -> Result<std::convert::Infallible, ExecError> {
    if is_within_trial() {
        return Err(ExecError::WithinTrial);
    }
    let account = match &program.user {
        Some(user) => {
            let known = look_up(user).ok_or_else(|| ExecError::UnknownUser(user.clone()))?;
            (known.uid != 0).then_some(known)
        }
        None => None,
    };
    let options = match program.nested {
        true => Options::NEW.nested(),
        false => Options::NEW,
    };
    let body = ProgramBody {
        keeps_failed: program.keep,
        starts_at_once: account.is_none() && program.is_in_no_lab(),
    };
    check_working_directory()?;
    // The likeness is read before anything is opened.
    let likeness = match body.leaves_nothing() {
        true => Likeness::of_program(
            program.words.first().unwrap_or(&OsString::new()),
            &(program.nested, &program.writable),
        ),
        false => None,
    };
    let inside = Inside::of(&program)?;
    let mut more = program.writable.clone();
    if let Some(wrong) = more.iter().find(|it| !it.is_dir()) {
        let (problem, remedy) = match wrong.exists() {
            true => ("that is no directory", "name the one that has it"),
            false => ("there is no such directory", "make it first"),
        };
        let wrong = wrong.display();
        return Err(ExecError::Words(format!(
            "--writable is `{wrong}`, and {problem}: {remedy}"
        )));
    }
    if let Some(directory) = &program.capture {
        make_directory(directory)?;
        more.push(directory.clone());
    }
    let file = program
        .words
        .first()
        .map(Path::new)
        .unwrap_or(Path::new(""));
    let paths = || Paths::of_program(file, &more);
    let setup = likeness.and_then(|likeness| {
        let runner = || Runner {
            options,
            become_program: Arc::new(inside.without_words()),
        };
        enter_program(&likeness, inside.words(), paths, runner)
    });
    if let Some(setup) = setup {
        return Watch::new(setup, program.timeout, program.keep)?.until_the_end();
    }
    let paths = paths();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut trial = Trial::test(name, move || body::run(inside)).with_options(options);
    trial.set_account(account);
    let setup = ProgramSetup::make(trial, &paths, body)?;
    Watch::new(setup, program.timeout, program.keep)?.until_the_end()
}

/// Refuses a working directory that the world cannot have under its path: the program would find
/// itself in another directory.
///
/// # Errors
/// The working directory was deleted, or this user may not enter it by its path.
fn check_working_directory() -> Result<(), ExecError> {
    // The path of a directory that is gone, or that lies on a mount that is gone, is an error.
    let entered = std::env::current_dir().and_then(std::env::set_current_dir);
    entered.map_err(ExecError::WorkingDirectory)
}

fn make_directory(directory: &Path) -> Result<(), ExecError> {
    std::fs::create_dir_all(directory).map_err(|error| {
        let directory = directory.display();
        ExecError::Words(format!("cannot make the directory `{directory}`: {error}"))
    })
}
