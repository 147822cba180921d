//! The command `cargo xtask doctor`, which examines the machine and prints the findings.
//!
//! The xtask of another workspace offers the command by one call of [`cli()`].

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use snowglobe_fixtures::command;

use snowglobe_text::Tree;

use crate::model::cli::{self, CliError, CommandLine, Operands};

use super::examine::examine;
use super::report::Report;
use super::table::TableColor;
use super::{github, table};

/// The form in which the findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Table,
    Json,
    Github,
}

/// The options of one call.
#[derive(Debug, Default, PartialEq, Eq)]
struct DoctorOptions {
    json: bool,
    github: bool,
    help: bool,
}

type Flag = cli::Flag<DoctorOptions>;

const COMMAND_LINE: CommandLine<DoctorOptions> = CommandLine {
    about: "\
Says what this machine lacks for tests, and the command that mends it.

Each feature is tried in a sandbox that is thrown away; nothing of the host changes.

Usage: {command} doctor [OPTIONS]
",
    operands: Operands::None,
    flags: &[
        Flag::switch("json", "Print the findings as JSON", |options| {
            options.json = true
        }),
        Flag::switch(
            "github",
            "Print the table, and annotations for GitHub Actions",
            |options| options.github = true,
        ),
        Flag::help(|options| options.help = true),
    ],
    variables: &[],
    notes: "\
Exit code: 0 if all is well, 1 if something is degraded or missing, 2 if no trial can run, 64 for
a wrong command line.
",
};

/// Runs `cargo xtask doctor …`; `arguments` are the words after `doctor`.
///
/// Call it before any thread is started, as [`examine`].
///
/// ```no_run
/// # use std::process::ExitCode;
/// fn main() -> ExitCode {
///     let mut args = std::env::args_os().skip(1);
///     match args.next().as_deref().and_then(|a| a.to_str()) {
///         Some("doctor") => snowglobe::doctor::cli(args),
///         _ => ExitCode::from(64),
///     }
/// }
/// ```
pub fn cli(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    command::announce_xtask();
    let options = match COMMAND_LINE.parse(arguments) {
        Ok(options) => options,
        Err(error) => return refuse(&error),
    };
    if options.help {
        write(&command::in_help(&COMMAND_LINE.help()));
        return ExitCode::SUCCESS;
    }
    let form = match form(&options) {
        Ok(form) => form,
        Err(error) => return refuse(&error),
    };
    let report = examine();
    write(&text(&report, form));
    ExitCode::from(report.exit_code())
}

/// Returns the texts of the command line, for completions and manual pages.
#[doc(hidden)]
pub fn cli_text() -> cli::CommandText {
    COMMAND_LINE.text()
}

fn refuse(error: &CliError) -> ExitCode {
    eprintln!("error: {error}; see `{}`", command::with("doctor --help"));
    ExitCode::from(64)
}

fn form(options: &DoctorOptions) -> Result<Form, CliError> {
    match (options.json, options.github) {
        (false, false) => Ok(Form::Table),
        (true, false) => Ok(Form::Json),
        (false, true) => Ok(Form::Github),
        (true, true) => Err(CliError::Contradiction(
            "--json and --github contradict each other",
        )),
    }
}

fn text(report: &Report, form: Form) -> String {
    match form {
        Form::Json => {
            let tree = Tree::of(report).expect("a report has nothing that JSON has not");
            tree.to_json_lines() + "\n"
        }
        Form::Github => table::render(report, TableColor::Plain) + &github::annotations(report),
        Form::Table => table::render(report, color()),
    }
}

fn color() -> TableColor {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stdout().is_terminal() && !refused {
        TableColor::Ansi
    } else {
        TableColor::Plain
    }
}

/// Writes to stdout. A pipe that its reader has closed is no failure.
fn write(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form_of(arguments: &[&str]) -> Result<Form, String> {
        let options = COMMAND_LINE.parse(arguments.iter().map(OsString::from));
        options
            .and_then(|options| form(&options))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_is_in_the_help() {
        COMMAND_LINE.assert_sound();
    }

    #[test]
    fn one_form_at_a_time() {
        assert_eq!(form_of(&[]), Ok(Form::Table));
        assert_eq!(form_of(&["--json"]), Ok(Form::Json));
        assert_eq!(form_of(&["--github", "--github"]), Ok(Form::Github));
        assert!(
            form_of(&["--json", "--github"])
                .unwrap_err()
                .contains("contradict")
        );
        assert!(form_of(&["x"]).is_err());
    }
}
