//! `snowglobe init`: shows what a project needs for its first test, and writes it.
//!
//! Somebody else's files are at stake. So everything is worked out first and shown as a diff;
//! nothing is written before somebody agrees; a file that is there is never overwritten, and of
//! `Cargo.toml` only what is added changes.
//!
//! | file | role |
//! |---|---|
//! | `files` | the texts of the new files |

mod files;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use snowglobe_fixtures::command;
use snowglobe_model::cli::{self, CommandLine, CommandText, Operands};

use crate::commands::Words;
use crate::edits::cargo_toml::{self, Dependency, TestTarget};
use crate::edits::change::Change;
use crate::edits::origin::Origin;
use crate::edits::project::Project;
use crate::edits::small_programs::{self, SmallPrograms};
use crate::edits::{self, Consent, EditOptions, flags};

/// Name of the test target that is added, where no other test has that name.
const TARGET: &str = "world";

#[derive(Default)]
struct InitOptions {
    help: bool,
    consent: Consent,
    fixtures: bool,
    no_github: bool,
    origin: Origin,
}

impl EditOptions for InitOptions {
    fn consent(&mut self) -> &mut Consent {
        &mut self.consent
    }

    fn origin(&mut self) -> &mut Origin {
        &mut self.origin
    }
}

type Flag = cli::Flag<InitOptions>;

const COMMAND_LINE: CommandLine<InitOptions> = CommandLine {
    about: "\
Writes what the package in this directory needs for its first test: a dev-dependency and a test
target in Cargo.toml, the test, and a workflow for GitHub. Shows all of it as a diff first, and
asks. A file that is there is left as it is.

Usage: {command} init [OPTIONS]
",
    operands: Operands::None,
    flags: &[
        flags::yes(),
        flags::dry_run(),
        Flag::switch(
            "fixtures",
            "Write a fixtures.toml too, for programs that tests need",
            |options| options.fixtures = true,
        ),
        Flag::switch("no-github", "Write no workflow for GitHub", |options| {
            options.no_github = true;
        }),
        flags::path(),
        flags::git(),
        Flag::help(|options| options.help = true),
    ],
    variables: &[],
    notes: "\
Examples:
  {command} init --dry-run
  {command} init --git https://example.org/snowglobe
  {command} init --yes --fixtures
",
};

/// Runs `snowglobe init …`.
pub(crate) fn init(words: Words) -> ExitCode {
    edits::edit("init", &COMMAND_LINE, words, |it| it.help, run)
}

/// Returns the texts of the command line.
pub(crate) fn text() -> CommandText {
    COMMAND_LINE.text()
}

fn run(project: &Project, options: &InitOptions) -> Result<ExitCode, String> {
    let dependency = options.origin.dependency(project)?;
    let InitPlan {
        target,
        changes,
        kept,
        remark,
    } = plan(project, options, &dependency)?;
    for path in &kept {
        eprintln!(
            "{} is there, and is left as it is",
            project.show(path).display()
        );
    }
    if changes.is_empty() {
        eprintln!("there is nothing to write");
        return Ok(ExitCode::SUCCESS);
    }
    edits::show(project, &changes);
    if let Some(remark) = remark {
        eprintln!("note: {remark}");
    }
    options.origin.mention_checkout(&dependency, project);
    if let Some(code) = edits::write(&changes, options.consent)? {
        return Ok(code);
    }
    eprintln!("written. Next: cargo test --test {target}");
    if options.fixtures {
        eprintln!("and for the fixtures: {}", command::with("provision"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything that is to be written and said.
struct InitPlan {
    /// Name of the test target.
    target: String,
    changes: Vec<Change>,
    /// Files that are there already.
    kept: Vec<PathBuf>,
    /// A sentence about settings that stay as they are.
    remark: Option<String>,
}

fn plan(
    project: &Project,
    options: &InitOptions,
    dependency: &Dependency,
) -> Result<InitPlan, String> {
    let manifest = project.manifest();
    let name = cargo_toml::name_in_sources(&project.text, &project.root_text())?;
    let target = free_target(project, &name)?;
    let SmallPrograms {
        manifest: after,
        workspace,
        remark,
    } = cargo_toml::with_snowglobe(&project.text, &project.root_text(), dependency, &target)
        .and_then(|text| small_programs::add(project, text))
        .map_err(|error| format!("{}: {error}", manifest.display()))?;
    let mut changes = Vec::new();
    if after != project.text {
        changes.push(Change::edit(manifest, project.text.clone(), after));
    }
    changes.extend(workspace);
    let mut new = vec![(
        project.package.join(format!("tests/{target}.rs")),
        files::named(files::TEST, &name),
    )];
    if options.fixtures {
        new.push((
            project.package.join("fixtures.toml"),
            files::named(files::FIXTURES, &name),
        ));
    }
    // Without fixtures the workflow does not install the program `snowglobe`.
    let is_enough = *dependency == Dependency::Inherited && !options.fixtures;
    match dependency.installation(project) {
        _ if options.no_github => {}
        installation if installation.is_some() || is_enough => {
            let workflow = project.repository.join(".github/workflows/snowglobe.yml");
            let below = project.show(&project.package);
            let installation = installation.filter(|_| options.fixtures);
            new.push((workflow, files::workflow(below, installation.as_deref())));
        }
        _ if *dependency == Dependency::Inherited => eprintln!(
            "no workflow for GitHub is written, for the workspace names no place where GitHub's machines find snowglobe: install the program `snowglobe` by hand, and run `snowglobe provision` before `cargo test`"
        ),
        _ => eprintln!(
            "no workflow for GitHub is written, for its machines do not have the directory of snowglobe: name the repository, by --git URL"
        ),
    }
    let (there, absent): (Vec<_>, Vec<_>) = new
        .into_iter()
        .partition(|(path, _)| path.symlink_metadata().is_ok());
    changes.extend(
        absent
            .into_iter()
            .map(|(path, text)| Change::new(path, text)),
    );
    Ok(InitPlan {
        target,
        changes,
        kept: there.into_iter().map(|(path, _)| path).collect(),
        remark,
    })
}

/// Returns the name of the test target: that of an earlier `init`, or the first name that neither
/// the manifest nor a file has. The tests of a file that is there already may need the standard
/// harness, which the new target does not have, and a program with a `main` of its own may be no
/// test of ours. `crate_name` is the name by which sources know snowglobe.
///
/// # Errors
/// The manifest cannot be understood.
fn free_target(project: &Project, crate_name: &str) -> Result<String, String> {
    let (targets, _) = cargo_toml::test_targets(&project.text)?;
    let tests = project.package.join("tests");
    let is_absent = |name: &String| {
        let mut files = [format!("{name}.rs"), name.clone()].into_iter();
        files.all(|file| tests.join(file).symlink_metadata().is_err())
    };
    // A file that is gone is written again: cargo refuses a target without its file.
    let is_of_init = |target: &TestTarget| {
        let text = fs::read_to_string(project.package.join(&target.file)).unwrap_or_default();
        text.contains(&format!("{crate_name}::")) || is_absent(&target.name)
    };
    let is_free = |name: &String| match targets.iter().find(|target| target.name == *name) {
        Some(target) => {
            let file = format!("tests/{name}.rs");
            target.has_own_main && target.file == file && is_of_init(target)
        }
        None => is_absent(name),
    };
    let others = (2..).map(|number| format!("{TARGET}{number}"));
    let mut names = [TARGET.to_owned()].into_iter().chain(others);
    names
        .find(is_free)
        .ok_or_else(|| "no name is free".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_the_help() {
        COMMAND_LINE.assert_sound();
    }
}
