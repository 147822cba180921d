//! `--list`, which nextest and IDEs read: nothing but the lines they know.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::json;

use super::args::Arguments;
use super::report::Format;
use crate::trial::Trial;

pub(crate) fn print(args: &Arguments, trials: &[Trial]) {
    let text = match args.chosen_format() {
        Format::Json => as_json(trials),
        format => as_lines(trials, format != Format::Terse),
    };
    write(&text);
}

/// To stdout, whose reader may have seen enough (`| head`).
pub(crate) fn write(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

fn as_lines(trials: &[Trial], counted: bool) -> String {
    let mut text = String::with_capacity(trials.len() * 40);
    for trial in trials {
        let _ = writeln!(text, "{}: test", trial.name());
    }
    if counted {
        if !trials.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(
            text,
            "{}, 0 benchmarks",
            super::report::plural(trials.len(), "test")
        );
    }
    text
}

fn as_json(trials: &[Trial]) -> String {
    let mut text = format!("{}\n", json!({"type": "suite", "event": "discovery"}));
    for trial in trials {
        let source = trial.source();
        let event = json!({
            "type": "test", "event": "discovered", "name": trial.name(),
            "ignore": trial.has_ignored_flag(),
            "ignore_message": trial.ignore_reason().unwrap_or(""),
            "source_path": source.map_or("", |s| s.file),
            "start_line": source.map_or(0, |s| s.line),
        });
        let _ = writeln!(text, "{event}");
    }
    let ignored = trials
        .iter()
        .filter(|trial| trial.has_ignored_flag())
        .count();
    let event = json!({
        "type": "suite", "event": "completed", "tests": trials.len(), "benchmarks": 0,
        "total": trials.len(), "ignored": ignored,
    });
    let _ = writeln!(text, "{event}");
    text
}
