//! A run: from the arguments and the trials to the counts.

use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::args::Arguments;
use super::conclusion::Conclusion;
use super::error::{RunError, explain, limit, usage};
use super::report::{Printer, RunStart};
use super::result::TrialResult;
use super::select::Selection;
use super::supervisor::{Nursery, Plan, Signals, Supervisor};
use super::zygote::{Setting, Zygote, nursery};
use super::{list, requirements, select};

use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::process::clone;
use crate::kernel::process::thread::FirstThread;
use crate::sandbox::ids::Ids;
use crate::sandbox::outer;
use crate::sandbox::paths::Paths;
use crate::sandbox::refused::{Doing, Refused};
use crate::sandbox::trial::body;
use crate::trial::{Definition, TRIALS, Trial};

/// The time limit of a trial where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Trials spend much of their time waiting for the kernel, so more run than there are cores.
const PER_CORE: usize = 4;
/// Descriptors that the supervisor needs for itself, and for each trial that runs.
const DESCRIPTORS: (u64, u64) = (64, 8);

/// The trials that `#[snowglobe::test]` has written down in this program.
pub fn registered() -> Vec<Trial> {
    TRIALS.iter().map(Trial::registered).collect()
}

/// What `snowglobe::main!` expands to: command line in, exit code out.
#[doc(hidden)]
pub fn main(stripped: &[&str], more: impl FnOnce() -> Vec<Trial>) -> ExitCode {
    let outcome = Arguments::from_env().and_then(|args| {
        if args.help {
            list::write(&Arguments::help());
            return Ok(Conclusion::default());
        }
        if let Some(first) = stripped.first() {
            return Err(usage(format!(
                "{} with a plain #[test] would never run, for this target has `harness = false` ({first}): write #[snowglobe::test], or move it to another target",
                if stripped.len() == 1 { "a function" } else { "functions" }
            )));
        }
        let (mut trials, left_out) = wanted(&args);
        trials.extend(more());
        run_counted(&args, trials, left_out)
    });
    exit_code(outcome)
}

/// The registered trials, or just those that are asked for by name; and how many were left out.
///
/// Under nextest every trial is asked for by name in a process of its own: ten thousand processes
/// should not look at ten thousand trials each.
fn wanted(args: &Arguments) -> (Vec<Trial>, u64) {
    if !args.exact || args.filters.is_empty() {
        return (registered(), 0);
    }
    let named =
        |definition: &&Definition| args.filters.iter().any(|name| definition.is_named(name));
    let trials: Vec<Trial> = TRIALS.iter().filter(named).map(Trial::registered).collect();
    let left_out = (TRIALS.len() - trials.len()) as u64;
    (trials, left_out)
}

fn exit_code(outcome: Result<Conclusion, RunError>) -> ExitCode {
    match outcome {
        Ok(conclusion) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

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
/// Where no trial could be run at all: duplicate names, isolation that this system does not
/// permit, a limit that was reached, or other threads running already (they would be lost in the
/// fork).
pub fn run(args: &Arguments, trials: Vec<Trial>) -> Result<Conclusion, RunError> {
    run_counted(args, trials, 0)
}

/// As [`run`], where so many trials have been left out already.
fn run_counted(
    args: &Arguments,
    mut trials: Vec<Trial>,
    left_out: u64,
) -> Result<Conclusion, RunError> {
    select::check_names(&trials)?;
    let mut args = args.clone();
    if args.shuffle && args.shuffle_seed.is_none() {
        args.shuffle_seed = Some(random_seed());
    }
    requirements::check(&args, &mut trials)?;
    let Selection {
        trials,
        filtered_out,
    } = select::select(&args, trials);
    if args.list {
        list::print(&args, &trials);
        return Ok(Conclusion::default());
    }
    named_trial_exists(&args, &trials)?;
    let conclusion = Conclusion {
        num_filtered_out: left_out + filtered_out as u64,
        ..Conclusion::default()
    };
    run_selected(&args, trials, conclusion)
}

/// Under nextest, a name that was listed and is not there any more must not pass for a pass.
fn named_trial_exists(args: &Arguments, trials: &[Trial]) -> Result<(), RunError> {
    let one_by_one =
        std::env::var("NEXTEST_EXECUTION_MODE").is_ok_and(|mode| mode == "process-per-test");
    match (&*args.filters, trials) {
        ([name], []) if args.exact && one_by_one => Err(usage(format!(
            "`{name}` was never registered in this program: build it anew and list it again"
        ))),
        _ => Ok(()),
    }
}

fn run_selected(
    args: &Arguments,
    trials: Vec<Trial>,
    conclusion: Conclusion,
) -> Result<Conclusion, RunError> {
    if !clone::single_threaded() {
        return Err(usage(
            "other threads are running already, and a fork would lose them: call snowglobe::run before any is started",
        ));
    }
    let mut printer = Printer::new(&args.report_options())?;
    let threads = match trials.len() {
        // Under nextest always: to count the cores takes a dozen files.
        0 | 1 => 1,
        count => args.test_threads.unwrap_or_else(usual_threads).min(count),
    };
    enough_descriptors(threads)?;
    let plan = Plan {
        threads,
        timeout: args.timeout.unwrap_or(TIMEOUT),
        run_seed: args.seed.unwrap_or_else(random_seed),
        capture: !args.no_capture,
        fail_fast: args.fail_fast,
        settled: trials.iter().map(|trial| settled(args, trial)).collect(),
    };
    let to_run = plan.settled.iter().filter(|known| known.is_none()).count();
    let mut start = RunStart {
        trials: trials.len(),
        isolation: String::new(),
        notes: Vec::new(),
        run_seed: plan.run_seed,
        shuffle_seed: args.shuffle_seed,
        serial: threads == 1,
    };
    let mut trials: Vec<Option<Trial>> = trials.into_iter().map(Some).collect();
    let world = match to_run {
        // No sandbox is needed, nor need one be permitted.
        0 => Started::without_sandbox()?,
        _ => Started::new(&mut trials, to_run == 1)?,
    };
    start.isolation = world.isolation;
    start.notes = world.notes;
    printer.run_started(&start);
    let mut supervisor = Supervisor::new(
        &trials,
        &plan,
        &mut printer,
        &world.signals,
        world.nursery.as_ref(),
        conclusion,
    );
    if let Some(channel) = world.zygote {
        supervisor.adopt(channel);
    }
    let outcome = supervisor.run();
    if let Some(nursery) = &world.nursery {
        // Ends whatever is left.
        nursery.end();
    }
    if let Ok(conclusion) = &outcome {
        printer.run_finished(conclusion);
    } else {
        printer.flush_all();
    }
    if let Some(nursery) = &world.nursery
        && under_nextest()
    {
        nursery.await_end();
    }
    outcome
}

/// A verdict that is known without running the trial.
fn settled(args: &Arguments, trial: &Trial) -> Option<TrialResult> {
    if !args.runs(trial.has_ignored_flag()) {
<<<<<<< HEAD
        return Some(TrialResult::Ignored(trial.ignore_reason().to_owned()));
=======
        return Some(TrialResult::Ignored(
            trial.ignore_reason().unwrap_or("").to_owned(),
        ));
>>>>>>> ca5c589 (trial: own the reason for which a trial is ignored, and name its parts)
    }
    trial.lack().map(TrialResult::failed)
}

pub(super) fn under_nextest() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

/// What there is before the first trial.
struct Started {
    signals: Signals,
    nursery: Option<Nursery>,
    /// To the nursery where it is the only zygote as well.
    zygote: Option<MessageChannel>,
    isolation: String,
    notes: Vec<String>,
}

impl Started {
    fn without_sandbox() -> Result<Started, RunError> {
        Ok(Started {
            signals: Signals::catch()
                .doing("catch signals")
                .map_err(|refused| explain(&refused))?,
            nursery: None,
            zygote: None,
            isolation: String::new(),
            notes: Vec::new(),
        })
    }

    /// Makes the outer sandbox, with the nursery in it.
    fn new(trials: &mut [Option<Trial>], single: bool) -> Result<Started, RunError> {
        let started = Started::without_sandbox()?;
        let ids = Ids::available();
        let paths = Paths::find();
        let supervisor = process::pidfd_open(std::process::id() as i32)
            .doing("open a pidfd")
            .map_err(|refused| explain(&refused))?;
        let hidden = paths.hidden().map(Path::to_owned).collect();
        body::remember_supervisor();
        let first = FirstThread::current();
        let world = outer::make(ids, &paths, |channel, ids| {
            let Ok(setting) = Setting::collect(ids, hidden, supervisor, first) else {
                process::exit_now(1)
            };
            nursery::live(Zygote::new(trials, setting), channel, single)
        });
        let world = world.map_err(|refused| explain(&refused))?;
        let (zygote, orders) = match single {
            true => (Some(world.channel), None),
            false => (None, Some(world.channel)),
        };
        Ok(Started {
            nursery: Some(Nursery {
                process: world.first,
                orders,
            }),
            zygote,
            isolation: describe_isolation(world.ids),
            notes: world.notes,
            ..started
        })
    }
}

fn describe_isolation(ids: Ids) -> String {
    let root = match ids {
        Ids::One { uid, .. } => format!("its root is uid {uid} outside"),
        Ids::Subordinate(ids) => format!(
            "its root is uid {} outside, and {} ids are mapped",
            ids.uid, ids.count
        ),
        Ids::Range(map) => format!(
            "its root is uid {} outside, and {} ids are mapped",
            map.outside, map.count
        ),
    };
    format!("each in user, net, mnt, uts, ipc and pid namespaces of its own; {root}")
}

/// How many descriptors a run needs with this many trials at a time, and how many those are if
/// nothing is said.
pub(crate) fn descriptors(count: Option<usize>) -> u64 {
    let (fixed, each) = DESCRIPTORS;
    fixed + each * count.unwrap_or_else(usual_threads) as u64
}

/// How many trials run at a time if nothing is said.
fn usual_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get) * PER_CORE
}

fn enough_descriptors(count: usize) -> Result<(), RunError> {
    let wanted = descriptors(Some(count));
    match process::raise_open_files(wanted) {
        Ok(soft) if soft >= wanted => Ok(()),
        Ok(soft) => Err(limit(format!(
            "at most {soft} files may be open, and {wanted} are needed for what runs at a time: raise `ulimit -Hn`, or run with fewer --test-threads"
        ))),
        Err(errno) => Err(explain(&Refused {
            step: "raise the limit of open files".into(),
            errno,
        })),
    }
}

/// A seed from the kernel's randomness, small enough to be typed again.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) >> 32
}

/// The registered trial of this path, for the drop-in mode.
pub(super) fn definition(path: &str) -> Option<&'static Definition> {
    TRIALS.iter().find(|definition| definition.path == path)
}
