//! A run: from the arguments and the trials to the counts.

use std::time::Duration;

use snowglobe_text::in_backticks;

use super::args::{Arguments, keep_settings};
use super::conclusion::Conclusion;
use super::concurrency::Share;
use super::error::{RunError, limit, usage};
use super::report::{Format, Printer, RunStart};
use super::resident::{self, TrialStart};
use super::result::TrialResult;
use super::select::Selection;
use super::setup::{Division, Setup};
use super::supervisor::{NurseryHandle, Rounds, RunPlan, Supervisor, Workers};
use super::{concurrency, list, nextest, requirements, select, users, within};
use crate::kernel::process::clone;
use crate::sandbox::within::is_within_trial;
use crate::trial::{Trial, record, time_scale};

/// Time limit of a trial if neither the trial nor the user says another.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Shares into which process numbers are divided among copies of trials. A copy that begins so much
/// later has the same numbers again.
const SHARES_OF_COPIES: usize = 1024;

/// Runs (or lists) trials as the arguments say, each in a sandbox of its own.
///
/// Prints as libtest does, and returns the counts; [`Conclusion::exit`] ends the program as
/// cargo expects. Most programs use [`snowglobe::main!`](crate::main) instead.
///
/// ```no_run
/// use snowglobe::{Arguments, Trial};
///
/// fn main() -> Result<(), snowglobe::RunError> {
///     let args = Arguments::from_env()?;
///     let trials = vec![Trial::test("port_80_is_mine", || {
///         std::net::TcpListener::bind("0.0.0.0:80").map(drop)
///     })];
///     snowglobe::run(&args, trials)?.exit()
/// }
/// ```
///
/// # Errors
/// Fails if no trial can be run at all: two trials have the same name, this system does not permit
/// the isolation, a limit was reached, or other threads are running already, which would be lost in
/// the fork. Fails also if all trials passed and the report could not be written.
pub fn run(args: &Arguments, trials: Vec<Trial>) -> Result<Conclusion, RunError> {
    run_for(Caller::Program, args, trials)
}

/// Whoever runs trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The program, which may have done anything before.
    Program,
    /// The `main` that [`snowglobe::main!`](crate::main) makes, which does nothing else.
    Entry {
        /// Number of trials that have been filtered out already.
        left_out: u64,
    },
}

/// Runs trials as [`run`] does.
///
/// # Errors
/// Fails as [`run`] does.
pub(crate) fn run_for(
    caller: Caller,
    args: &Arguments,
    mut trials: Vec<Trial>,
) -> Result<Conclusion, RunError> {
    let start = match caller {
        // Trials run in a copy of what the program has become by now. Another start of a program
        // may have become something else.
        Caller::Program => None,
        // The likeness is read before anything is opened.
        Caller::Entry { .. } => TrialStart::of_this_start(args),
    };
    select::sort_and_check(&mut trials)?;
    if let Some(scale) = args.time_scale {
        time_scale::set(scale);
    }
    keep_settings(args.timeout, args.user.as_deref(), args.time_scale);
    let mut args = args.clone();
    if args.shuffle && args.shuffle_seed.is_none() {
        args.shuffle_seed = Some(random_seed());
    }
    requirements::check(&args, &mut trials)?;
    users::find(&args, &mut trials);
    let Selection {
        trials,
        filtered_out,
    } = select::select(&args, trials);
    if args.list {
        list::print(&args, &trials)?;
        return Ok(Conclusion::default());
    }
    named_trial_exists(&args, &trials)?;
    within::refuse_sandboxes(&args)?;
    #[cfg(feature = "toml")]
    crate::lab::read_schedule().map_err(|error| usage(error.to_string()))?;
    let left_out = match caller {
        Caller::Program => 0,
        Caller::Entry { left_out } => left_out,
    };
    let conclusion = Conclusion {
        num_filtered_out: left_out + filtered_out as u64,
        ..Conclusion::default()
    };
    run_selected(&args, start.as_ref(), trials, conclusion)
}

/// Refuses to run nothing if nextest asks for a trial that it has listed and that is not there any
/// more: an empty run would pass, and nextest would take the trial for passed.
fn named_trial_exists(args: &Arguments, trials: &[Trial]) -> Result<(), RunError> {
    match (&*args.filters, trials) {
        ([name], []) if args.exact && nextest::runs_one_test_a_process() => Err(usage(format!(
            "`{name}` was never registered in this program: build it anew and list it again"
        ))),
        _ => Ok(()),
    }
}

fn run_selected(
    args: &Arguments,
    start: Option<&TrialStart>,
    trials: Vec<Trial>,
    conclusion: Conclusion,
) -> Result<Conclusion, RunError> {
    let mut plan = plan(args, &trials);
    let to_run = plan.known.iter().filter(|known| known.is_none()).count();
    if to_run > 0 && is_within_trial() {
        let mut printer = Printer::new(&args.report_options())?;
        let conclusion = within::run(trials, &plan, args.shuffle_seed, &mut printer, conclusion);
        return report_result(&mut printer, conclusion);
    }
    // `fork(2)` copies the calling thread only. Locks that another thread held would stay locked in
    // the copy for ever.
    if !clone::single_threaded() {
        return Err(threads_are_running(&clone::other_threads()));
    }
    let mut printer = Printer::new(&args.report_options())?;
    let Share {
        threads,
        nurseries,
        held_back,
    } = if args.ignore_budgets {
        Share::of_all(plan.threads)
    } else {
        concurrency::within_budgets(plan.threads)
    };
    plan.threads = threads;
    concurrency::ensure_descriptors(threads)?;
    let mut trials: Vec<Option<Trial>> = trials.into_iter().map(Some).collect();
    if args.twice {
        // The record is made before the processes of the trials, which inherit it.
        record::prepare().map_err(|error| limit(format!("cannot make a record: {error}")))?;
    }
    let setup = if to_run == 0 {
        Setup::without_sandbox()?
    } else {
        let division = divide(&plan, trials.len(), to_run, nurseries);
        set_up(&mut trials, &division, start)?
    };
    let Setup {
        signals,
        nurseries,
        first_zygote,
        isolation,
        mut notes,
        host,
    } = setup;
    notes.extend(held_back);
    printer.run_started(&RunStart {
        trials: trials.len(),
        isolation,
        notes,
        host,
        run_seed: plan.run_seed,
        shuffle_seed: args.shuffle_seed,
        serial: plan.threads == 1,
    });
    let workers = Workers {
        nurseries: &nurseries,
        first_zygote,
    };
    let planned = plan.for_trials(&trials);
    let supervisor = Supervisor::new(planned, &mut printer, &signals, workers, conclusion);
    let outcome = supervisor.run();
    nurseries.iter().for_each(NurseryHandle::end);
    // The report is written while the kernel tears the sandbox down.
    let outcome = match outcome {
        Ok(conclusion) => report_result(&mut printer, conclusion),
        Err(error) => {
            printer.flush_all();
            Err(error)
        }
    };
    if nextest::runs_us() {
        nurseries.iter().for_each(NurseryHandle::await_end);
    }
    outcome
}

/// Makes the surroundings of a run, or finds those that an earlier start like this one has left.
fn set_up(
    trials: &mut [Option<Trial>],
    division: &Division,
    start: Option<&TrialStart>,
) -> Result<Setup, RunError> {
    let start = start.filter(|_| division.single);
    match start.and_then(|start| resident::enter(start, trials)) {
        Some(setup) => Ok(setup),
        None => Setup::with_sandbox(trials, division),
    }
}

/// Divides a run of so many trials, of which `to_run` have no result yet.
fn divide(plan: &RunPlan, trials: usize, to_run: usize, nurseries: usize) -> Division {
    let single = to_run == 1 && plan.rounds.is_none();
    Division {
        single,
        // A single trial has the nursery for its zygote.
        nurseries: if single { 1 } else { nurseries },
        shares: match plan.rounds {
            None if single => 1,
            None => trials,
            Some(_) => trials.max(SHARES_OF_COPIES),
        },
    }
}

/// Makes the error about threads that have been started too early.
fn threads_are_running(names: &[String]) -> RunError {
    /// Number of threads that are named.
    const MOST: usize = 5;
    let mut named = in_backticks(names.iter().take(MOST));
    if names.len() > MOST {
        named += &format!(", {} more", names.len() - MOST);
    }
    usage(format!(
        "other threads are running already ({named}), and a fork would lose them: where `main` has started them, call snowglobe::run before; where they run before `main`, a constructor or the allocator has started them: let it start them at their first use in a test, or not at all"
    ))
}

/// Prints the result of the run, and passes the counts on.
///
/// # Errors
/// Fails if trials passed and the report could not be written: nobody could know then which.
fn report_result(printer: &mut Printer, conclusion: Conclusion) -> Result<Conclusion, RunError> {
    match printer.run_finished(&conclusion) {
        // The exit code tells of the failure, which counts for more.
        Err(error) if conclusion.has_failed() => {
            eprintln!("error: {error}");
            Ok(conclusion)
        }
        Err(error) => Err(error),
        Ok(()) => Ok(conclusion),
    }
}

fn plan(args: &Arguments, trials: &[Trial]) -> RunPlan {
    let rounds: Vec<Rounds> = trials.iter().map(|it| Rounds::of(args, it)).collect();
    let runs = rounds
        .iter()
        .fold(0, |all: usize, it| all.saturating_add(it.most()));
    let is_several = rounds.iter().any(|it| it.is_several());
    // The search for a smaller schedule runs one trial many times, side by side.
    let runs = if args.shrink { usize::MAX } else { runs };
    RunPlan {
        threads: concurrency::threads(args.test_threads, runs),
        timeout: args.timeout.unwrap_or(TIMEOUT),
        run_seed: args.seed.unwrap_or_else(random_seed),
        capture: !args.no_capture || (is_several && is_under_another_harness(args)),
        fail_fast: args.fail_fast,
        shrink: args.shrink,
        rounds: is_several.then_some(rounds),
        known: trials
            .iter()
            .map(|trial| known_result(args, trial))
            .collect(),
    }
}

/// Returns whether another program prints what this process writes: the format is for a harness, or
/// nextest runs each test in a process of its own. Of several runs, it wants the output of one.
fn is_under_another_harness(args: &Arguments) -> bool {
    args.format.is_some_and(Format::is_for_a_harness) || nextest::runs_one_test_a_process()
}

/// Returns the result of a trial if it is known without running the trial.
fn known_result(args: &Arguments, trial: &Trial) -> Option<TrialResult> {
    if !args.runs(trial.has_ignored_flag()) {
        let reason = trial.ignore_reason().unwrap_or("");
        return Some(TrialResult::Ignored(reason.to_owned()));
    }
    trial.lack().map(TrialResult::failed)
}

/// Returns a seed from the kernel's randomness, short enough for people to type.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) >> 32
}
