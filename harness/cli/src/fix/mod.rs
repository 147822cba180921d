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

mod attributes;
mod source;
mod suite;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use snowglobe_model::cli::{self, CommandLine, CommandText, Operands};

use self::source::{Conversion, Converted, LeftTest};
use crate::commands::Words;
use crate::edits::cargo_toml::{self, Dependency};
use crate::edits::change::Change;
use crate::edits::project::Project;
use crate::edits::{self, Consent};

#[derive(Default)]
struct FixOptions {
    help: bool,
    consent: Consent,
    way: Conversion,
    path: Option<PathBuf>,
    files: Vec<PathBuf>,
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
        Flag::switch("yes", "Write without asking", |options| {
            options.consent.yes = true;
        })
        .short('y'),
        Flag::switch("dry-run", "Show the diff, and write nothing", |options| {
            options.consent.dry_run = true;
        })
        .short('n'),
        Flag::value(
            "path",
            "DIRECTORY",
            "Depend on the snowglobe of this directory, in place of a published one",
            |options, path| {
                options.path = Some(path.path());
                Ok(())
            },
        ),
        Flag::help(|options| options.help = true),
    ],
    variables: &[],
    notes: "\
Without FILE, all files below `src` and `tests` are looked at. The standard harness stays: `cargo
test` and nextest run the suite as before.

Examples:
  {command} fix --dry-run
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
    let FixPlan {
        changes,
        lines,
        left,
    } = plan(project, options)?;
    edits::show(project, &changes);
    for line in &left {
        eprintln!("{line}");
    }
    if changes.is_empty() {
        eprintln!("there is nothing to write");
        return Ok(ExitCode::SUCCESS);
    }
    if options.way == Conversion::There && options.path.is_none() {
        edits::mention_checkout();
    }
    if let Some(code) = edits::write(&changes, options.consent)? {
        return Ok(code);
    }
    let stay = match left.len() {
        0 => String::new(),
        count => format!("; {count} stay as they are, see above"),
    };
    match options.way {
        Conversion::There => eprintln!("{lines} tests are trials now{stay}. Next: cargo test"),
        Conversion::Back => eprintln!("{lines} tests are as they were{stay}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything that is to be written and said.
struct FixPlan {
    changes: Vec<Change>,
    /// Number of tests whose lines are written or taken away.
    lines: usize,
    /// A sentence for each test that stays as it is.
    left: Vec<String>,
}

fn plan(project: &Project, options: &FixOptions) -> Result<FixPlan, String> {
    let mut plan = FixPlan {
        changes: Vec::new(),
        lines: 0,
        left: Vec::new(),
    };
    let own_mains = suite::own_mains(project)?;
    let mut is_needed = false;
    for file in suite::files(project, &options.files)? {
        let shown = project.show(&file.path).display();
        let text = std::fs::read_to_string(&file.path)
            .map_err(|error| format!("cannot read {shown}: {error}"))?;
        let is_own_main = own_mains.contains(&file.path) && !text.contains("snowglobe::main!");
        if is_own_main && options.way == Conversion::There {
            plan.left.push(format!(
                "{shown} has a `main` of its own, and stays as it is: on libtest-mimic write `snowglobe::mimic::trial`, or let `snowglobe exec --` run it"
            ));
            continue;
        }
        let converted = match source::convert(&text, file.part, options.way) {
            Ok(converted) => converted,
            Err(error) => {
                let line = error.span().start().line;
                plan.left.push(format!(
                    "{shown}:{line}: the file stays as it is, for it cannot be understood ({error}): write the attribute above its tests by hand"
                ));
                continue;
            }
        };
        is_needed |= converted.text.contains("snowglobe::");
        plan.add(&file.path, text, converted, &shown.to_string());
    }
    let manifest = match (options.way, is_needed) {
        (Conversion::There, true) => {
            let dependency = Dependency::of_option(options.path.as_deref());
            cargo_toml::with_dependency(&project.text, &dependency)
                .and_then(|text| edits::with_small_programs(project, text))
        }
        // Other files may need it where only some are converted back.
        (Conversion::Back, false) if options.files.is_empty() => {
            cargo_toml::without_dependency(&project.text)
        }
        (Conversion::There, false) | (Conversion::Back, _) => Ok(project.text.clone()),
    };
    let path = project.manifest();
    let manifest = manifest.map_err(|error| format!("{}: {error}", path.display()))?;
    if manifest != project.text {
        let change = Change::edit(path, project.text.clone(), manifest);
        plan.changes.insert(0, change);
    }
    Ok(plan)
}

impl FixPlan {
    fn add(&mut self, path: &Path, before: String, converted: Converted, shown: &str) {
        let Converted { text, count, left } = converted;
        if text != before {
            self.changes
                .push(Change::edit(path.to_owned(), before, text));
        }
        self.lines += count;
        let sentence = |LeftTest { line, name, why }| format!("{shown}:{line}: `{name}` {why}");
        self.left.extend(left.into_iter().map(sentence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_the_help() {
        COMMAND_LINE.assert_sound();
    }
}
