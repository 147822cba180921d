//! Runs the test function, on the only thread of a process.

use std::backtrace::Backtrace;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;

use super::conclude::Ended;
use super::{backtrace, channel, conclude, home, ordinary_user, panics, profiles};
use crate::kernel::fd::FileIdentity;
use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::process::before_main::run_remaining_constructors;
use crate::kernel::process::exit_handlers;
use crate::kernel::process::leaks;
use crate::kernel::process::signal;
use crate::kernel::thread::{sigaltstack, stack_overflow};
use crate::sandbox::protocol::trial::BodyReport;
use crate::sandbox::within;
use crate::trial::running::{self, RunningTrial};
use crate::trial::{Failed, TestBody, Trial, record};

/// Does once, in the nursery, what every body would do and what does not depend on the trial.
pub(crate) fn prepare(is_program: bool) {
    profiles::prepare();
    leaks::remember_first_thread();
    if !is_program {
        // A program ends as it likes.
        exit_handlers::prepare();
    }
    panics::watch();
    signal::on_trace_signal(write_down_where);
    stack_overflow::on_stack_overflow(channel::send_stack_overflow);
    signal::on_abort(channel::tell_if_closed_at_abort);
}

/// Does, on the thread of which a body will be a copy, what can be done in advance.
///
/// The zygote's pages are at hand. A copy would have to be given each page first to which it
/// writes.
pub(crate) fn prepare_thread() {
    // Whatever this thread allocates before the test begins is not the test's.
    leaks::ignore_what_follows();
    conclude::prepare_thread();
    channel::prepare();
    running::set_own_thread(true);
}

/// Runs the trial, reports, and ends the process.
///
/// The calling thread is the only one: a copy of one that bears the test's name, and was prepared.
pub(crate) fn run(trial: Trial, seed: u64, index: u32, reports: MessageChannel) -> ! {
    let (options, account) = (*trial.options(), trial.account());
    let (name, body) = trial.into_name_and_body();
    // The trial is entered before any code of the test runs, so that the code finds its trial.
    running::begin(RunningTrial {
        name,
        seed,
        is_root: account.is_none(),
        tell: |remark| channel::send(&BodyReport::Remarked(remark)),
    });
    channel::open(reports);
    record::begin(index);
    // The environment is set before the test can start a thread: the environment may change while
    // there is one thread only (setenv(3), ATTRIBUTES).
    profiles::separate(index);
    within::correct_environment(&options);
    if options.private_home || account.is_some() {
        home::make_private(options.isolation, index);
    }
    if let Some(account) = account {
        home::name_owner(account.uid);
    }
    if let Some(account) = account
        && let Err(refused) = ordinary_user::become_user(account, options.nested)
    {
        conclude::give_up(format!(
            "the trial cannot run as uid {}: {refused}",
            account.uid
        ))
    }
    // std would have done so for a thread that it started. Without it a stack overflow is a mere
    // segmentation fault (std, sys/pal/unix/stack_overflow.rs).
    sigaltstack::watch_this_thread();
    let stderr = FileIdentity::of(std::io::stderr());
    panics::begin(stderr);
    if cfg!(panic = "abort") {
        conclude::when_a_panic_aborts(options, stderr);
    }
    // Constructors run in this process and no earlier one: a constructor may start threads, and a
    // fork would lose them.
    run_remaining_constructors();
    leaks::keep_what_threads_hold();
    leaks::look_again();
    let end = panic::catch_unwind(AssertUnwindSafe(|| __rust_begin_short_backtrace(body)));
    conclude::when_values_are_gone(Ended {
        options,
        end,
        stderr,
    });
    process::end_with_this_thread()
}

/// Runs the trial of a program, which does nothing but become that program.
///
/// The calling process lives in the memory of its zygote. So nothing is noted there of the trial
/// but what is right for the next one too.
pub(crate) fn become_program(trial: Trial, index: u32) -> ! {
    profiles::separate(index);
    within::correct_environment(trial.options());
    let (_, body) = trial.into_name_and_body();
    process::never_return(|| {
        // The body ends the process where the program cannot be started.
        let _ = body.run();
        process::exit_now(1)
    })
}

/// Runs the test function. The name tells std to end backtraces here
/// (`library/std/src/sys/backtrace.rs`).
#[inline(never)]
fn __rust_begin_short_backtrace(body: TestBody) -> Result<(), Failed> {
    let result = body.run();
    // Keeps the call above from becoming a jump, which would leave no frame.
    std::hint::black_box(());
    result
}

/// Writes a backtrace of the test's thread to stderr. Runs in a signal handler, once, before the
/// process is killed: if the handler hangs or crashes, nothing is lost but the backtrace.
fn write_down_where() {
    let trace = Backtrace::force_capture().to_string();
    let is_full = std::env::var_os("RUST_BACKTRACE").is_some_and(|style| style == "full");
    let trace = if is_full {
        trace
    } else {
        backtrace::of_test(&trace, Path::is_file)
    };
    let name = thread::current().name().unwrap_or("<unnamed>").to_owned();
    eprintln!("thread '{name}' hangs here:\n{trace}");
    channel::send(&BodyReport::Traced);
}
