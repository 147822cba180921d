//! The doctor's command line, so that an xtask of your own needs five lines.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use lexopt::prelude::*;

use super::examine::examine;
use super::report::Report;
use super::{github, table};

const HELP: &str = "\
Says what this machine lacks for tests, and the command that mends it.

Each thing is tried in a sandbox that is thrown away; nothing of the host changes.

Usage: cargo xtask doctor [OPTIONS]

Options:
      --json     the findings as JSON
      --github   the table, and annotations for GitHub Actions
  -h, --help     print this

Exit code: 0 if all is well, 1 if something is degraded or missing, 2 if no trial can run, 64 for
a wrong command line.
";

#[derive(Debug, PartialEq, Eq)]
enum Form {
    Help,
    Table,
    Json,
    Github,
}

/// Does what `cargo xtask doctor` is asked by its arguments, and returns the exit code.
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
    let form = match parse(arguments) {
        Ok(form) => form,
        Err(error) => {
            eprintln!("error: {error}; see `cargo xtask doctor --help`");
            return ExitCode::from(64);
        }
    };
    if form == Form::Help {
        write(HELP);
        return ExitCode::SUCCESS;
    }
    let report = examine();
    write(&text(&report, &form));
    ExitCode::from(report.exit_code())
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Form, lexopt::Error> {
    let mut form = Form::Table;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        let asked = match argument {
            Long("json") => Form::Json,
            Long("github") => Form::Github,
            Short('h') | Long("help") => return Ok(Form::Help),
            other => return Err(other.unexpected()),
        };
        if form != Form::Table && form != asked {
            return Err("--json and --github contradict each other".into());
        }
        form = asked;
    }
    Ok(form)
}

fn text(report: &Report, form: &Form) -> String {
    match form {
        Form::Json => {
            let json = serde_json::to_string_pretty(report);
            json.expect("a report has nothing that JSON has not") + "\n"
        }
        Form::Github => table::render(report, false) + &github::annotations(report),
        Form::Table | Form::Help => table::render(report, colored()),
    }
}

fn colored() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !refused
}

/// A reader that has seen enough is no failure.
fn write(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(arguments: &[&str]) -> Result<Form, String> {
        parse(arguments.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn one_form_at_a_time() {
        assert_eq!(form(&[]), Ok(Form::Table));
        assert_eq!(form(&["--json"]), Ok(Form::Json));
        assert_eq!(form(&["--github", "--github"]), Ok(Form::Github));
        assert!(
            form(&["--json", "--github"])
                .unwrap_err()
                .contains("contradict")
        );
        assert!(form(&["x"]).is_err());
    }
}
