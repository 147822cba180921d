//! `--list`, which nextest and editors read.
//!
//! nextest aborts if stdout has any other line than `NAME: test` or `NAME: benchmark`, so nothing
//! else is written in this format, on stdout or stderr.

use std::io::{ErrorKind, Write as _};

use snowglobe_text::counted;

use super::args::Arguments;
use super::error::{RunError, unwritten};
use super::report::{Format, JsonLine};
use crate::trial::Trial;

/// Prints the list of trials in the format that was asked for.
///
/// # Errors
/// Fails as [`write`] does.
pub(crate) fn print(args: &Arguments, trials: &[Trial]) -> Result<(), RunError> {
    let text = match args.chosen_format() {
        Format::Json => as_json(trials),
        Format::Terse => as_lines(trials),
        Format::Pretty | Format::Junit | Format::Failures => {
            as_lines(trials) + &total(trials.len())
        }
    };
    write("the list", &text)
}

/// Writes `text` to stdout; `what` names the text in an error.
///
/// # Errors
/// Fails if stdout refuses the text, as on a full disk. A reader that has seen enough and gone
/// (`| head`) is no error.
pub(crate) fn write(what: &str, text: &str) -> Result<(), RunError> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(unwritten(format!("{what} to stdout"), &error))
        }
        Err(_) | Ok(()) => Ok(()),
    }
}

fn as_lines(trials: &[Trial]) -> String {
    let mut text = String::with_capacity(trials.len() * 40);
    for trial in trials {
        text.push_str(trial.name());
        text.push_str(": test\n");
    }
    text
}

/// Returns the last line of a list for people, below an empty line if there are trials.
fn total(trials: usize) -> String {
    let apart = if trials == 0 { "" } else { "\n" };
    format!("{apart}{}, 0 benchmarks\n", counted(trials, "test"))
}

fn as_json(trials: &[Trial]) -> String {
    let mut text = String::from(JsonLine::new("suite", "discovery"));
    for trial in trials {
        let source = trial.source();
        let event = JsonLine::new("test", "discovered")
            .with("name", trial.name())
            .with("ignore", trial.has_ignored_flag())
            .with("ignore_message", trial.ignore_reason().unwrap_or(""))
            .with("source_path", source.map_or("", |s| s.file))
            .with("start_line", source.map_or(0, |s| s.line));
        text.push_str(&String::from(event));
    }
    let ignored = trials
        .iter()
        .filter(|trial| trial.has_ignored_flag())
        .count();
    let event = JsonLine::new("suite", "completed")
        .with("tests", trials.len())
        .with("benchmarks", 0usize)
        .with("total", trials.len())
        .with("ignored", ignored);
    text + &String::from(event)
}
