//! `snowglobe fix`: makes trials of the tests of a package, and takes that back.
//!
//! One line is written above each test, and nothing else of a file changes. So the diff is easy to
//! read, and the way back gives the files as they were.
//!
//! | file | role |
//! |---|---|
//! | `suite` | the files of a package that can have tests |
//! | `source` | one file: where lines are written or taken away, and which tests stay: pure |
//! | `attributes` | attributes that make tests: pure |
//! | `systems` | conditions that do not hold on Linux, and the files that are below them |
//! | `own_main` | the `main` of ours at the end of an integration test: pure |

mod attributes;
mod own_main;
mod source;
mod suite;
mod systems;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use snowglobe_model::cli::{self, CommandLine, CommandText, Operands};
use toml_edit::DocumentMut;

use self::source::{Conversion, LeftTest};
use self::suite::SourceFile;
use crate::commands::Words;
use crate::edits::cargo_toml::{self, Dependency, TestTarget};
use crate::edits::change::Change;
use crate::edits::entry;
use crate::edits::origin::Origin;
use crate::edits::project::Project;
use crate::edits::small_programs::{self, SmallPrograms};
use crate::edits::{self, Consent, EditOptions, flags};

#[derive(Default)]
struct FixOptions {
    help: bool,
    consent: Consent,
    way: Conversion,
    main: bool,
    origin: Origin,
    files: Vec<PathBuf>,
}

impl EditOptions for FixOptions {
    fn consent(&mut self) -> &mut Consent {
        &mut self.consent
    }

    fn origin(&mut self) -> &mut Origin {
        &mut self.origin
    }

    fn contradiction_of_its_own(&self) -> Option<&'static str> {
        let Origin { path, git } = &self.origin;
        match self.way {
            Conversion::There => None,
            Conversion::Back if self.main => {
                Some("--undo takes every `main` of snowglobe away, so leave --main out")
            }
            Conversion::Back if path.is_some() || git.is_some() => {
                Some("--undo needs no place of snowglobe, so leave --path or --git out")
            }
            Conversion::Back => None,
        }
    }
}

type Flag = cli::Flag<FixOptions>;

const COMMAND_LINE: CommandLine<FixOptions> = CommandLine {
    about: "\
Gives every test of the package in this directory a world of its own: writes the line
`#[snowglobe::test]` above each, and the dev-dependency into Cargo.toml. Shows all of it as a diff
first, and asks. Names each test that stays as it is, and why. --undo takes it back.

Usage: {command} fix [OPTIONS] [FILE|DIRECTORY...]
",
    operands: Operands::Each(|options, file| {
        options.files.push(file.path());
        Ok(())
    }),
    flags: &[
        Flag::switch("undo", "Take the lines away again", |options| {
            options.way = Conversion::Back;
        }),
        Flag::switch(
            "main",
            "Give integration tests a `main` of snowglobe too: they are faster then",
            |options| options.main = true,
        ),
        flags::yes(),
        flags::dry_run(),
        flags::path(),
        flags::git(),
        Flag::help(|options| options.help = true),
    ],
    variables: &[],
    notes: "\
Without FILE, all files of the package's targets are looked at: those below `src`, `tests`,
`examples` and `benches`, and those that Cargo.toml names. The standard harness stays: `cargo
test` and nextest run the suite as before. With --main, integration tests are programs of
snowglobe's runner, where a trial costs no start of a program: Cargo.toml says `harness = false`
of each, and `snowglobe::main!();` ends its file. --undo takes that back, too.

Examples:
  {command} fix --dry-run
  {command} fix --git https://example.org/snowglobe
  {command} fix --main
  {command} fix tests/http.rs
  {command} fix --undo
",
};

/// Runs `snowglobe fix …`.
pub(crate) fn fix(words: Words) -> ExitCode {
    edits::edit("fix", &COMMAND_LINE, words, |it| it.help, run)
}

/// Returns the texts of the command line.
pub(crate) fn text() -> CommandText {
    COMMAND_LINE.text()
}

fn run(project: &Project, options: &FixOptions) -> Result<ExitCode, String> {
    let dependency = match options.way {
        Conversion::There => Some(options.origin.dependency(project)?),
        Conversion::Back => None,
    };
    let FixPlan {
        name: _,
        changes,
        lines,
        left,
        remark,
    } = plan(project, options, dependency.as_ref())?;
    edits::show(project, &changes);
    for line in &left {
        eprintln!("{line}");
    }
    if changes.is_empty() {
        eprintln!("there is nothing to write");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(remark) = remark {
        eprintln!("note: {remark}");
    }
    if let Some(dependency) = &dependency {
        options.origin.mention_checkout(dependency, project);
    }
    if let Some(code) = edits::write(&changes, options.consent)? {
        return Ok(code);
    }
    let stay = match left.len() {
        0 => String::new(),
        1 => "; 1 stays as it is, see above".to_owned(),
        count => format!("; {count} stay as they are, see above"),
    };
    match options.way {
        Conversion::There => match lines {
            1 => eprintln!("1 test is a trial now{stay}. Next: cargo test"),
            _ => eprintln!("{lines} tests are trials now{stay}. Next: cargo test"),
        },
        Conversion::Back => match lines {
            1 => eprintln!("1 test is as it was{stay}"),
            _ => eprintln!("{lines} tests are as they were{stay}"),
        },
    }
    if options.way == Conversion::Back && is_left_in_lock(project) {
        eprintln!(
            "note: Cargo.lock belongs to cargo, which takes snowglobe out of it at its next run, unless another package of the workspace depends on snowglobe, and keeps the versions that it has raised there: `git checkout Cargo.lock` brings the old ones back, where git has them"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns whether `Cargo.lock` has snowglobe, on which the package no longer depends.
fn is_left_in_lock(project: &Project) -> bool {
    let manifest = fs::read_to_string(project.manifest()).unwrap_or_default();
    let lock = fs::read_to_string(project.workspace().join("Cargo.lock")).unwrap_or_default();
    let parsed = |text: &str| text.parse::<DocumentMut>().unwrap_or_default();
    let depends = entry::table(&parsed(&manifest), &parsed(&project.root_text())).is_some();
    !depends && lock.lines().any(|line| line == "name = \"snowglobe\"")
}

/// Remark on tests in an example or a benchmark, of which rustc builds none.
const WITHOUT_HARNESS: &str =
    "has `harness = false`, so that its tests are not built, and stays as it is";

/// Everything that is to be written and said.
struct FixPlan {
    /// Name by which the sources know the crate snowglobe.
    name: String,
    changes: Vec<Change>,
    /// Number of tests whose lines are written or taken away.
    lines: usize,
    /// A sentence for each test that stays as it is.
    left: Vec<String>,
    /// A sentence about settings that stay as they are.
    remark: Option<String>,
}

/// A source file that was looked at.
struct FixedFile {
    path: PathBuf,
    before: String,
    after: String,
    /// Every test of the file is converted.
    is_whole: bool,
    may_be_empty: bool,
}

impl FixedFile {
    /// Returns whether the file names something of our crate, which has this name there.
    fn names_ours(&self, name: &str) -> bool {
        attributes::names_crate(&self.after, &format!("{name}::"))
    }
}

fn plan(
    project: &Project,
    options: &FixOptions,
    dependency: Option<&Dependency>,
) -> Result<FixPlan, String> {
    let name = cargo_toml::name_in_sources(&project.text, &project.root_text())?;
    let mut plan = FixPlan {
        name,
        changes: Vec::new(),
        lines: 0,
        left: Vec::new(),
        remark: None,
    };
    let targets = suite::targets(project)?;
    let sources = suite::files(project, &options.files)?;
    let own_mains = cargo_toml::roots_without_harness(&project.text)?;
    let own_mains = own_mains.into_iter().map(|it| project.package.join(it));
    let own_mains: BTreeSet<PathBuf> = own_mains.collect();
    let elsewhere = match options.way {
        Conversion::There => systems::files_for_others(&sources),
        // What an earlier version has written into such files is removed as well.
        Conversion::Back => BTreeSet::new(),
    };
    let mut files = Vec::new();
    for file in sources {
        if elsewhere.contains(&file.path) {
            plan.leave(project, &file, systems::FOR_OTHERS);
            continue;
        }
        if options.way == Conversion::There && own_mains.contains(&file.path) {
            plan.leave(project, &file, WITHOUT_HARNESS);
            continue;
        }
        let target = targets.iter().find(|it| it.file == file.path);
        files.extend(plan.convert(project, options.way, file, target));
    }
    let manifest = plan
        .manifest(project, options, dependency, &targets, &mut files)
        .map_err(|error| format!("{}: {error}", project.manifest().display()))?;
    if manifest != project.text {
        let change = Change::edit(project.manifest(), project.text.clone(), manifest);
        plan.changes.push(change);
    }
    let changed = files.into_iter().filter(|file| file.after != file.before);
    plan.changes
        .extend(changed.map(|it| Change::edit(it.path, it.before, it.after)));
    Ok(plan)
}

impl FixPlan {
    /// Notes why a file stays as it is, if the file has tests.
    fn leave(&mut self, project: &Project, file: &SourceFile, why: &str) {
        let converted = source::convert(&file.text, file.part, Conversion::There, &self.name);
        if converted.is_ok_and(|it| it.count > 0) {
            let shown = project.show(&file.path).display();
            self.left.push(format!("{shown} {why}"));
        }
    }

    /// Converts a file; `target` is the test target whose `main` the file has.
    fn convert(
        &mut self,
        project: &Project,
        way: Conversion,
        file: SourceFile,
        target: Option<&TestTarget>,
    ) -> Option<FixedFile> {
        let shown = project.show(&file.path).display();
        let before = file.text;
        if way == Conversion::There
            && target.is_some_and(|it| it.has_own_main)
            && !attributes::names_crate(&before, &format!("{}::main!", self.name))
        {
            self.left.push(format!(
                "{shown} has a `main` of its own, and stays as it is: on libtest-mimic write `snowglobe::mimic::trial`, or let `snowglobe exec --` run it"
            ));
            return None;
        }
        let converted = match source::convert(&before, file.part, way, &self.name) {
            Ok(converted) => converted,
            Err(error) => {
                let line = error.span().start().line;
                self.left.push(format!(
                    "{shown}:{line}: the file stays as it is, for it cannot be understood ({error}): write the attribute above its tests by hand"
                ));
                return None;
            }
        };
        self.lines += converted.count;
        let is_whole = converted
            .left
            .iter()
            .all(|it| it.why == systems::FOR_OTHERS);
        let ours = format!("{}::", self.name);
        let sentence = |LeftTest { line, name, why }| {
            let [name, why] = [&name, why].map(|it| it.replace("snowglobe::", &ours));
            format!("{shown}:{line}: `{name}` {why}")
        };
        self.left.extend(converted.left.into_iter().map(sentence));
        Some(FixedFile {
            before,
            after: converted.text,
            is_whole,
            may_be_empty: converted.may_be_empty,
            path: file.path,
        })
    }

    /// Returns the text of `Cargo.toml`, and gives test programs a `main` of ours or takes it away.
    fn manifest(
        &mut self,
        project: &Project,
        options: &FixOptions,
        dependency: Option<&Dependency>,
        targets: &[TestTarget],
        files: &mut [FixedFile],
    ) -> Result<String, String> {
        let mut text = project.text.clone();
        for target in targets {
            text = match options.way {
                Conversion::There if !options.main => text,
                Conversion::There => self.give_main(project, text, target, files)?,
                Conversion::Back => take_main(text, target, files, &self.name)?,
            };
        }
        let root = project.root_text();
        let is_needed = files.iter().any(|it| it.names_ours(&self.name));
        let settings = match (dependency, is_needed) {
            (Some(dependency), true) => cargo_toml::with_dependency(&text, &root, dependency)
                .and_then(|text| small_programs::add(project, text)),
            // Other files may need it where only some are converted back.
            (None, false) if options.files.is_empty() => {
                cargo_toml::without_dependency(&text, &root)
                    .and_then(|text| small_programs::remove(project, text))
            }
            (Some(_), false) | (None, _) => return Ok(text),
        };
        let SmallPrograms {
            manifest,
            workspace,
            remark,
        } = settings?;
        self.changes.extend(workspace);
        self.remark = remark;
        Ok(manifest)
    }

    /// Gives a test program a `main` of ours, if all its tests are trials.
    fn give_main(
        &mut self,
        project: &Project,
        manifest: String,
        target: &TestTarget,
        files: &mut [FixedFile],
    ) -> Result<String, String> {
        let folder = suite::folder_of(target);
        let has = |it: &&FixedFile| it.path == target.file || it.path.starts_with(&folder);
        let has_ours = files.iter().filter(has).any(|it| it.names_ours(&self.name));
        let is_whole = files.iter().filter(has).all(|it| it.is_whole);
        let root = files.iter_mut().find(|it| it.path == target.file);
        let (Some(root), true, false) = (root, has_ours, target.has_own_main) else {
            return Ok(manifest);
        };
        let why = match (is_whole, root.may_be_empty) {
            (true, false) => {
                root.after = own_main::with_main(&root.after, &self.name);
                return cargo_toml::without_harness(&manifest, &target.name);
            }
            (false, _) => "some of its tests are no trials, see above",
            (true, true) => {
                "the condition at its top would take `main` away too: write `required-features` into its `[[test]]` instead"
            }
        };
        let shown = project.show(&target.file).display();
        self.left
            .push(format!("{shown} keeps the standard harness: {why}"));
        Ok(manifest)
    }
}

/// Takes the `main` of a test program away that [`FixPlan::give_main`] has written.
fn take_main(
    manifest: String,
    target: &TestTarget,
    files: &mut [FixedFile],
    name: &str,
) -> Result<String, String> {
    let root = files.iter_mut().find(|it| it.path == target.file);
    let Some(root) = root.filter(|it| target.has_own_main && it.is_whole) else {
        return Ok(manifest);
    };
    let Some(text) = own_main::without_main(&root.after, name) else {
        return Ok(manifest);
    };
    root.after = text.to_owned();
    cargo_toml::with_harness(&manifest, &target.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_the_help() {
        COMMAND_LINE.assert_sound();
    }
}
