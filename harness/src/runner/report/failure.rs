//! What is shown at the end of each trial that failed, in the order in which people ask.

use super::outbox::Outbox;
use super::printer::{Done, Style};
use crate::runner::result::{Failure, Verdict};
use crate::trial::Trial;

/// Failures (and, with `--show-output`, passes) as they will be shown at the end.
#[derive(Debug)]
pub(crate) struct Failures {
    style: Style,
    show_output: bool,
    failed: Vec<(String, String)>,
    passed: Vec<(String, String)>,
    run_seed: u64,
}

/// So much output of failed trials is kept whole, in bytes, before it is cut.
const KEPT: usize = 64 << 20;

impl Failures {
    pub(crate) fn new(style: Style, show_output: bool) -> Failures {
        Failures {
            style,
            show_output,
            failed: Vec::new(),
            passed: Vec::new(),
            run_seed: 0,
        }
    }

    pub(crate) fn opening(&mut self, run_seed: u64) {
        self.run_seed = run_seed;
    }

    /// Keeps what will be shown of a trial.
    pub(crate) fn keep(&mut self, done: &Done<'_>) {
        match &done.verdict {
            Verdict::Failed(failure) => {
                let kept: usize = self.failed.iter().map(|(_, text)| text.len()).sum();
                let mut text = describe(done, failure, self.run_seed);
                if kept + text.len() > KEPT {
                    text.truncate(text.floor_char_boundary(16 << 10));
                }
                self.failed.push((done.trial.name().to_owned(), text));
            }
            Verdict::Passed if self.show_output && !done.output.is_empty() => {
                let text = with_newline(&done.output);
                self.passed.push((done.trial.name().to_owned(), text));
            }
            _ => {}
        }
    }

    /// libtest's sections.
    pub(crate) fn show(&self, out: &mut Outbox) {
        if self.show_output {
            section(out, "successes", &self.passed);
        }
        if !self.failed.is_empty() {
            section(out, "failures", &self.failed);
        }
    }

    pub(crate) fn style(&self) -> Style {
        self.style
    }
}

fn section(out: &mut Outbox, title: &str, entries: &[(String, String)]) {
    out.push(&format!("\n{title}:\n"));
    for (name, text) in entries {
        out.push(&format!("\n---- {name} stdout ----\n{text}"));
    }
    out.push(&format!("\n{title}:\n"));
    for (name, _) in entries {
        out.push(&format!("    {name}\n"));
    }
}

/// Where and how long; what it wrote; why it failed; what it hung in; who was left; how to run it again.
pub(crate) fn describe(done: &Done<'_>, failure: &Failure, run_seed: u64) -> String {
    let mut text = String::new();
    let place = match done.trial.source() {
        Some(source) => format!("{}:{}, ", source.file, source.line),
        None => String::new(),
    };
    text.push_str(&format!(
        "{place}{:.3}s, seed {}\n",
        done.duration.as_secs_f64(),
        done.seed
    ));
    text.push_str(&with_newline(&done.output));
    if !failure.in_output && !done.output.contains(&format!("Error: {}", failure.reason)) {
        text.push_str(&format!("{}\n", failure.reason));
    }
    if !failure.in_output && !failure.location.is_empty() {
        text.push_str(&format!("    at {}\n", failure.location));
    }
    for note in &done.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    if let Some(described) = &done.described {
        text.push_str(&format!("what hangs:\n{}", with_newline(described)));
    }
    if let Some(survivors) = done.survivors() {
        text.push_str(&format!("left running, and killed: {survivors}\n"));
    }
    text.push_str(&format!("run it again: {}\n", again(done.trial, run_seed)));
    text
}

/// A line to copy: by cargo if it was cargo that started this program, else the program itself.
fn again(trial: &Trial, run_seed: u64) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let stem = program
        .file_stem()
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default();
    let target = stem
        .rsplit_once('-')
        .map_or(stem.as_str(), |(target, _)| target);
    let ignored = if trial.has_ignored_flag() {
        " --ignored"
    } else {
        ""
    };
    let arguments = format!("--exact '{}'{ignored}", trial.name());
    match std::env::var("CARGO_PKG_NAME") {
        Ok(package) => {
            let target = target_option(target, &package);
            format!("SNOWGLOBE_SEED={run_seed} cargo test -p {package} {target} -- {arguments}")
        }
        Err(_) => format!(
            "SNOWGLOBE_SEED={run_seed} {} {arguments}",
            program.display()
        ),
    }
}

fn target_option(target: &str, package: &str) -> String {
    match target == package.replace('-', "_") {
        true => "--lib --bins".to_owned(),
        false => format!("--test {target}"),
    }
}

fn with_newline(text: &str) -> String {
    match text.is_empty() || text.ends_with('\n') {
        true => text.to_owned(),
        false => format!("{text}\n"),
    }
}
