//! Edits of somebody else's package: shown as a diff first, and written if somebody agrees.
//!
//! | file | role |
//! |---|---|
//! | `project` | the package in whose directory the command was given |
//! | `cargo_toml` | what changes in `Cargo.toml`: pure |
//! | `entry` | the entry by which a manifest depends on snowglobe: pure |
//! | `small_programs` | settings of the workspace by which test programs are small |
//! | `origin` | the place from which a package is to have snowglobe |
//! | `git_url` | which texts cargo takes as the URL of a git repository: pure |
//! | `change` | one file that is to be written: its diff, and the writing |
//! | `flags` | the options that all commands with edits have |

pub(crate) mod cargo_toml;
pub(crate) mod change;
pub(crate) mod entry;
pub(crate) mod flags;
pub(crate) mod git_url;
pub(crate) mod origin;
pub(crate) mod project;
pub(crate) mod small_programs;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use snowglobe_text::counted;

use snowglobe_model::cli::CommandLine;

use self::change::Change;
use self::origin::Origin;
use self::project::Project;
use crate::commands::{Words, print, read, refuse};

/// Wishes of the user about the writing, from the options of a command.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Consent {
    /// Write without asking.
    pub(crate) yes: bool,
    /// Show the diff, and write nothing.
    pub(crate) dry_run: bool,
}

/// The options of a command that edits a package.
pub(crate) trait EditOptions {
    /// Returns what the user wishes about the writing.
    fn consent(&mut self) -> &mut Consent;

    /// Returns what the user wishes about the dependency.
    fn origin(&mut self) -> &mut Origin;

    /// Returns which options exclude each other, if some do: one of them would have no effect.
    fn contradiction(&mut self) -> Option<&'static str> {
        let Consent { yes, dry_run } = *self.consent();
        let Origin { path, git } = self.origin();
        match () {
            () if yes && dry_run => Some("--yes and --dry-run exclude each other"),
            () if path.is_some() && git.is_some() => Some("--path and --git exclude each other"),
            () => self.contradiction_of_its_own(),
        }
    }

    /// Returns which options exclude each other that other commands do not have.
    fn contradiction_of_its_own(&self) -> Option<&'static str> {
        None
    }
}

/// Runs a command that edits the package in whose directory the command was given.
pub(crate) fn edit<T: Default + EditOptions>(
    name: &str,
    line: &CommandLine<T>,
    words: Words,
    asks_for_help: impl Fn(&T) -> bool,
    run: impl FnOnce(&Project, &T) -> Result<ExitCode, String>,
) -> ExitCode {
    let mut options = match read(name, line, words, asks_for_help, 2) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if let Some(why) = options.contradiction() {
        return refuse(name, why, 2);
    }
    let done = Project::of_working_directory().and_then(|project| run(&project, &options));
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

/// Shows the changes as a diff.
pub(crate) fn show(project: &Project, changes: &[Change]) {
    for change in changes {
        print(&change.diff(project.show(&change.path)));
    }
}

/// Writes the changes if somebody agrees. Returns the code with which this process ends if nothing
/// was written.
///
/// # Errors
/// Nobody can be asked, or a file cannot be written.
pub(crate) fn write(changes: &[Change], consent: Consent) -> Result<Option<ExitCode>, String> {
    if consent.dry_run {
        return Ok(Some(ExitCode::SUCCESS));
    }
    if !consent.yes && !agreed(changes.len())? {
        eprintln!("nothing was written");
        return Ok(Some(ExitCode::FAILURE));
    }
    for (done, change) in changes.iter().enumerate() {
        // A package with half of the changes may be one that cargo refuses.
        change.write().map_err(|error| {
            let earlier = changes[..done].iter().rev();
            let earlier = earlier.filter_map(|it| it.take_back().err());
            let left: Vec<_> = error.left.into_iter().chain(earlier).collect();
            let why = error.why;
            match left.is_empty() {
                true => format!("{why}; all files are as they were"),
                false => format!("{why}; {}", left.join("; ")),
            }
        })?;
    }
    Ok(None)
}

/// Asks whether to write.
fn agreed(files: usize) -> Result<bool, String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(
            "nothing was written, for there is no terminal to ask: give --yes to write, or --dry-run to see the diff only".to_owned(),
        );
    }
    eprint!("write {}? [y/N] ", counted(files, "file"));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = stdin.read_line(&mut answer);
    read.map_err(|error| format!("cannot read the answer: {error}"))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
