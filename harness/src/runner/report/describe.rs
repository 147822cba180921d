//! The description of a trial that failed, in the order in which people ask.

use super::reporter::FinishedTrial;
use crate::runner::args::settings;
use crate::runner::result::{Failure, Shown};
use crate::trial::{Trial, record};

/// Returns the description of a failed trial: its place and duration, the complaints beside the
/// test itself, the output, the reason, the processes that hang or were left running, and the
/// command line that runs the trial again.
pub(crate) fn describe(finished: &FinishedTrial<'_>, failure: &Failure) -> String {
    let mut text = match finished.trial.source() {
        Some(source) => format!("{}:{}, ", source.file, source.line),
        None => String::new(),
    };
    text += &format!(
        "{:.3}s, seed {}\n",
        finished.duration.as_secs_f64(),
        finished.seed
    );
    // Above the output, in which the test's own failure may be far from the end.
    text += &with_newline(&failure.complaints);
    text += &with_newline(&finished.output);
    text += &reason(finished, failure);
    for note in finished.all_notes() {
        text += &format!("note: {note}\n");
    }
    if let Some(description) = &finished.description {
        text += &format!("what hangs:\n{}", with_newline(description));
    }
    if let Some(survivors) = finished.survivors() {
        text += &format!("left running, and killed: {survivors}\n");
    }
    text += finished.shrunk.as_deref().unwrap_or_default();
    text += &format!(
        "run it again: {}\n",
        again(finished.trial, finished.run_seed)
    );
    for seed in finished.failed_seeds.iter().skip(1) {
        text += &format!("this failed too: {}\n", again(finished.trial, *seed));
    }
    text
}

/// Returns the reason and its place as far as the output does not show them already.
fn reason(finished: &FinishedTrial<'_>, failure: &Failure) -> String {
    let mut text = String::new();
    let (is_reason_shown, is_place_shown) = match failure.shown {
        Shown::AsPanic => (true, true),
        Shown::AsError => (finished.is_captured, false),
        Shown::Nowhere => (false, false),
    };
    if !is_reason_shown {
        text += &format!("{}\n", failure.reason);
    }
    if !is_place_shown && !failure.location.is_empty() {
        text += &format!("    at {}\n", failure.location);
    }
    text
}

/// Returns a line to copy that runs the trial again: with cargo if cargo started this program and
/// so has set `CARGO_PKG_NAME`, else with the program itself.
pub(crate) fn again(trial: &Trial, run_seed: u64) -> String {
    let program = std::env::current_exe().unwrap_or_default();
    // cargo names the program of a test target `TARGET-HASH`.
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
    // One run alone would not show how two runs differ. The variable works under the standard
    // harness as well.
    let twice = if record::is_kept() {
        " SNOWGLOBE_TWICE=1"
    } else {
        ""
    };
    let settings: String = settings()
        .iter()
        .map(|(variable, value)| format!(" {variable}={}", shell_word(value)))
        .collect();
    let variables = format!("SNOWGLOBE_SEED={run_seed}{twice}{settings}");
    match std::env::var("CARGO_PKG_NAME") {
        Ok(package) => {
            let target = target_option(target, &package);
            format!("{variables} cargo test -p {package} {target} -- {arguments}")
        }
        Err(_) => format!("{variables} {} {arguments}", program.display()),
    }
}

/// Returns a word that a shell takes for this text.
fn shell_word(text: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Returns cargo's option for the target of this name. Unit tests have the package's own name.
fn target_option(target: &str, package: &str) -> String {
    if target == package.replace('-', "_") {
        "--lib --bins".to_owned()
    } else {
        format!("--test {target}")
    }
}

/// Returns the text, which ends with a line break unless it is empty.
pub(crate) fn with_newline(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}\n")
    }
}
