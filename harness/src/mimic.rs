//! Isolation for suites with a `main` of their own on [`libtest_mimic`].
//!
//! Such a suite makes its trials when it runs, one for each file of a corpus, say, and hands them
//! to [`libtest_mimic::run`]. A trial that is made here instead has a world of its own and the
//! verdicts of [`snowglobe::Trial`](crate::Trial), and the rest of the suite stays as it is.
//!
//! ```no_run
//! # #[allow(clippy::needless_doctest_main)]
//! fn main() {
//!     let arguments = libtest_mimic::Arguments::from_args();
//!     let trials = [80u16, 443].map(|port| {
//!         snowglobe::mimic::trial(format!("binds::port_{port}"), move || {
//!             std::net::TcpListener::bind(("0.0.0.0", port))?;
//!             Ok(())
//!         })
//!     });
//!     libtest_mimic::run(&arguments, trials.into()).exit();
//! }
//! ```
//!
//! libtest-mimic runs trials in threads, and a process with threads can make no user namespace
//! (`unshare(2)`). So the program is started once more for each trial, with the same arguments, and
//! runs that trial when `main` makes it. `main` must therefore make the same trials each time, and
//! start no thread before. What `main` does before it makes the trials happens once for each.

use std::collections::HashMap;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use libtest_mimic::Completion;

use crate::runner::dropin::{IGNORED, run_alone};
use crate::runner::within;
use crate::sandbox::within::is_within_trial;
use crate::trial::{Failed, Trial};

/// Environment variable with the place and the name of the trial for which this process was
/// started.
const VARIABLE: &str = "SNOWGLOBE_MIMIC_TRIAL";

/// Makes a trial of the given name for [`libtest_mimic::run`] that runs the given closure in a
/// sandbox of its own.
///
/// The function stands in the place of [`libtest_mimic::Trial::test`], with the same arguments.
pub fn trial<R>(name: impl Into<String>, runner: R) -> libtest_mimic::Trial
where
    R: FnOnce() -> Result<(), libtest_mimic::Failed> + Send + 'static,
{
    let body = move || {
        let failed = |failed: libtest_mimic::Failed| {
            let message = failed.message().unwrap_or("the trial failed");
            Failed::without_location(message)
        };
        runner().map_err(failed)
    };
    wrap(Trial::test(name, body))
}

/// Makes a trial for [`libtest_mimic::run`] of one of this crate, with its options,
/// its kind and its flag.
///
/// A trial that needs what this machine does not have is ignored, with the reason.
pub fn wrap(mut trial: Trial) -> libtest_mimic::Trial {
    let key = key_of(trial.name());
    let (name, kind) = (trial.name().to_owned(), trial.kind().to_owned());
    let is_ignored = trial.has_ignored_flag();
    // libtest-mimic decides which of the ignored trials run.
    trial.ask_for();
    if std::env::var(VARIABLE).is_ok_and(|wanted| wanted == key) {
        // A trial may start this program again, as a helper: that process must not run the trial.
        crate::kernel::process::remove_env(VARIABLE);
        std::process::exit(run_alone(trial))
    }
    libtest_mimic::Trial::ignorable_test(name, move || run(&key, trial))
        .with_kind(kind)
        .with_ignored_flag(is_ignored)
}

/// Returns what tells the trials of a program apart: two may have the same name.
fn key_of(name: &str) -> String {
    static MADE: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let count = made.get_or_insert_default().entry(name.to_owned());
    let count = count.and_modify(|count| *count += 1).or_insert(0);
    format!("{count}:{name}")
}

/// Runs a trial in a new process, which makes the trial again.
fn run(key: &str, trial: Trial) -> Result<Completion, libtest_mimic::Failed> {
    if std::env::var_os(VARIABLE).is_some() {
        return Err("the program was started once more for one trial, and made other trials this time: the trials must not depend on what changes between two starts".into());
    }
    if is_within_trial() {
        let mut trial = Some(trial);
        let take = || trial.take().expect("a trial runs once");
        return match within::run_on_this_thread(take) {
            Some(true) => Ok(Completion::Completed),
            Some(false) => Err("the trial failed".into()),
            None => outcome(key, start(key)),
        };
    }
    outcome(key, start(key))
}

fn start(key: &str) -> std::io::Result<Output> {
    Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(VARIABLE, key)
        .stdin(Stdio::null())
        .output()
}

fn outcome(
    key: &str,
    output: std::io::Result<Output>,
) -> Result<Completion, libtest_mimic::Failed> {
    let output = output.map_err(|e| format!("cannot start this program for `{key}`: {e}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(Completion::Completed),
        Some(IGNORED) => Ok(Completion::ignored_with(stderr.trim())),
        _ => {
            let stdout = String::from_utf8_lossy(&output.stdout);
            Err(format!("{stdout}{stderr}").into())
        }
    }
}
