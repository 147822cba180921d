//! Runs of a program that a trial has started.
//!
//! Such a program is in the world of its trial, and can make none of its own. A test that starts
//! its own program again wants what it has without isolation: a child that runs a test function,
//! with the process id, the stdin, the signals and the exit code of an ordinary child. So a single
//! trial runs in this very process. Several trials run one after the other, each in a program start
//! of its own, which makes them single.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::args::{Arguments, settings};
use super::conclusion::Conclusion;
use super::error::{RunError, usage};
use super::report::{FinishedTrial, Printer, RunStart};
use super::result::TrialResult;
use super::supervisor::{RunPlan, result_of};
use crate::kernel::process::exit_kind::ExitKind;
use crate::sandbox::trial::body::run_here;
use crate::sandbox::within::is_within_trial;
use crate::trial::Trial;

/// Sentence on the isolation of the trials of such a run.
const ISOLATION: &str =
    "within the trial that has started this program, and without further isolation";

/// Refuses options that take a sandbox for each run of a trial, within a trial that has started
/// this program.
///
/// # Errors
/// Such an option is given.
pub(crate) fn refuse_sandboxes(args: &Arguments) -> Result<(), RunError> {
    match args
        .needing_sandboxes()
        .next()
        .filter(|_| is_within_trial())
    {
        None => Ok(()),
        Some(option) => Err(usage(format!(
            "{option} takes a sandbox of its own for each run of a trial, and a trial has started this program, which makes no sandboxes: leave the option out, or write `nested` above the test that starts the program (`#[snowglobe::test(nested)]`)"
        ))),
    }
}

/// Runs trials within the trial that has started this program.
pub(crate) fn run(
    trials: Vec<Trial>,
    plan: &RunPlan,
    shuffle_seed: Option<u64>,
    printer: &mut Printer,
    mut conclusion: Conclusion,
) -> Conclusion {
    let to_run = plan.known.iter().filter(|known| known.is_none()).count();
    printer.run_started(&RunStart {
        trials: trials.len(),
        isolation: ISOLATION.to_owned(),
        notes: Vec::new(),
        host: None,
        run_seed: plan.run_seed,
        shuffle_seed,
        serial: true,
    });
    for (trial, known) in trials.into_iter().zip(&plan.known) {
        printer.trial_started(&trial);
        let seed = trial.seed_in(plan.run_seed);
        let started = Instant::now();
        let shown = trial.without_body();
        let (result, output) = match known {
            Some(result) => (result.clone(), String::new()),
            None if to_run == 1 => {
                printer.flush_all();
                (run_in_this_process(trial, seed), String::new())
            }
            None => run_in_a_process(&trial, plan),
        };
        conclusion.count(&result);
        printer.trial_finished(FinishedTrial {
            duration: started.elapsed(),
            seed,
            output,
            is_captured: to_run > 1 && plan.capture,
            ..FinishedTrial::not_run(&shown, result, plan.run_seed)
        });
        if plan.fail_fast && conclusion.num_failed > 0 {
            break;
        }
    }
    conclusion
}

/// Runs a trial in this process, on a thread with the name of the trial, as the standard harness
/// does.
fn run_in_this_process(trial: Trial, seed: u64) -> TrialResult {
    let thread = thread::Builder::new().name(trial.name().to_owned());
    let result = thread.spawn(move || result_of(run_here(trial, seed)));
    match result.map(thread::JoinHandle::join) {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => TrialResult::failed("the test's thread has panicked after the test"),
        Err(error) => TrialResult::failed(format!("cannot start the test's thread: {error}")),
    }
}

/// Runs a trial in a process that runs no other.
fn run_in_a_process(trial: &Trial, plan: &RunPlan) -> (TrialResult, String) {
    let mut command = match std::env::current_exe() {
        Ok(program) => Command::new(program),
        Err(error) => return (not_started(&error), String::new()),
    };
    command
        .args([
            "--exact",
            trial.name(),
            "--include-ignored",
            "--quiet",
            "--nocapture",
        ])
        .args(["--seed", &plan.run_seed.to_string()])
        .envs(settings());
    let output = if plan.capture {
        command.output()
    } else {
        command.status().map(|status| Output {
            status,
            stdout: Vec::new(),
            stderr: Vec::new(),
        })
    };
    match output {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            (judge(&output.status), text)
        }
        Err(error) => (not_started(&error), String::new()),
    }
}

fn judge(status: &std::process::ExitStatus) -> TrialResult {
    let end = ExitKind::from(*status);
    if end == ExitKind::SUCCESS {
        TrialResult::Passed
    } else {
        TrialResult::failed(format!("the program that ran the test {end}"))
    }
}

fn not_started(error: &std::io::Error) -> TrialResult {
    TrialResult::failed(format!("this program cannot be started once more: {error}"))
}

/// Runs a trial on the calling thread, unless this process has run another one. Returns whether the
/// trial has passed.
pub(crate) fn run_on_this_thread(trial: impl FnOnce() -> Trial) -> Option<bool> {
    static HAS_RUN: AtomicBool = AtomicBool::new(false);
    if HAS_RUN.swap(true, Ordering::Relaxed) {
        return None;
    }
    let trial = trial();
    // Other tests of the standard harness may panic meanwhile, and that is not this trial's doing.
    let options = trial.options().allow_panics();
    let trial = trial.with_options(options);
    let seed = trial.seed_in(0);
    Some(result_of(run_here(trial, seed)) == TrialResult::Passed)
}
