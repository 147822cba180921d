//! The end of a test body, after the thread-local values of the test's thread are dropped.
//!
//! A test may fail after its function has returned: a guard in a thread-local value panics, a node
//! of a lab has died, a capture cannot be written. So the verdict is told as late as possible, when
//! the thread's local values have been dropped.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::thread;

use super::verdict::{End, PANICKED, consider, failed, judge};
use super::{channel, panics};
use crate::kernel::fd::FileIdentity;
use crate::kernel::process::exit_handlers;
use crate::kernel::procfs::process_table;
use crate::kernel::sync::Lock;
use crate::model::panics::panic_message;
use crate::sandbox::budgets;
use crate::sandbox::protocol::trial::{FailureKind, Finish};
use crate::trial::{Options, running};

thread_local! {
    static REPORT: ReportOnDrop = const { ReportOnDrop(Cell::new(None)) };
}

/// Prepares the calling thread for [`when_values_are_gone`].
///
/// Thread-local values are dropped in the reverse order of their first use. So this function must
/// run before the test uses a thread-local value.
pub(super) fn prepare_thread() {
    REPORT.with(|_| ());
}

/// Makes the end of the calling thread report how the test function ended.
pub(super) fn when_values_are_gone(ended: Ended) {
    REPORT.with(|report| report.0.set(Some(ended)));
}

/// Everything that is known when the test function has ended.
pub(super) struct Ended {
    pub(super) options: Options,
    pub(super) end: End,
    /// Identity of the stderr that the process was given, which the test may have replaced.
    pub(super) stderr: Option<FileIdentity>,
}

/// End of the test function, which is reported when this value is dropped.
struct ReportOnDrop(Cell<Option<Ended>>);

impl Drop for ReportOnDrop {
    fn drop(&mut self) {
        let Some(ended) = self.0.take() else {
            return;
        };
        if !channel::is_of_this_process() {
            end_fork(ended)
        }
        // Most tests pass and leave nothing to do. Such a test gets no thread for its end, since
        // a thread would cost many page faults in a copied memory.
        let passed = matches!(ended.end, Ok(Ok(())))
            && judge(&ended.options, Ok(Ok(())), &panics::all()) == Finish::Passed;
        if passed && running::has_nothing_left_to_do() {
            report(Finish::Passed, 0)
        }
        report(conclude(ended), 0)
    }
}

/// Facts that the report needs where a panic ends the process.
static BEFORE_ABORT: Lock<Option<(Options, Option<FileIdentity>)>> = Lock::new(None);

/// Makes the first panic report the end of the test, in a program whose panics abort
/// (`-C panic=abort`): nothing of the test runs after the panic.
pub(super) fn when_a_panic_aborts(options: Options, stderr: Option<FileIdentity>) {
    *BEFORE_ABORT.lock() = Some((options, stderr));
}

/// Reports that the test has ended by a panic with this message, and returns for the abort, unless
/// the panic was expected. Runs in the panic hook.
pub(super) fn before_abort(message: String) {
    if !channel::is_of_this_process() {
        return;
    }
    // A panic of the work for the end finds nothing here, for this is done once.
    let Some((options, stderr)) = BEFORE_ABORT.lock().take() else {
        return;
    };
    let end = Err(Box::new(message) as Box<dyn Any + Send>);
    let finish = conclude(Ended {
        options,
        end,
        stderr,
    });
    match finish {
        // libtest ends a process in its panic hook in the same way (library/test/src/lib.rs,
        // run_test_in_spawned_subprocess).
        Finish::Passed => report(finish, 0),
        Finish::Failed { .. } => channel::send_finish(finish),
    }
}

/// Ends a process that the test has forked and that has come to the end of the test function.
///
/// Only the test body's own process runs the work that was registered for the end. The threads of
/// that process do not exist in this one, so a wait for them would never end.
fn end_fork(ended: Ended) -> ! {
    let mut finish = judge(&ended.options, ended.end, &panics::all());
    show(&mut finish, ended.stderr);
    // The test body may wait for this process, and reads the result from the exit code.
    let code = if finish == Finish::Passed { 0 } else { 101 };
    report(finish, code)
}

/// Ends a process that the test has forked in a node and that has come to the end of the code
/// there. The thread that waits for the code is in the process of the test alone.
pub(crate) fn end_fork_in_node(node: &str, returned: bool) -> ! {
    let said = if returned {
        "returned from"
    } else {
        "panicked in"
    };
    running::note(&format!(
        "came here by a fork of the test, and {said} the code of the test in node `{node}`: end forks with `_exit`"
    ));
    exit_handlers::exit(if returned { 0 } else { 101 })
}

/// Joins the last threads, runs the work registered for the end, and returns the verdict.
///
/// This work runs on a new thread. A channel, a lock or `thread::current()` may need a thread-local
/// value, and the calling thread has lost its own. The caller is in the midst of libc's `exit`.
/// With glibc 2.41 and later another thread that calls `exit` now waits for the caller, and
/// therefore until the trial is over.
pub(super) fn conclude(ended: Ended) -> Finish {
    let work = move || {
        let finish = judge(&ended.options, ended.end, &panics::all());
        if finish != Finish::Passed {
            // Budgets are looked at before anything else ends: what was used up may come back.
            running::suspect(budgets::exhausted_inotify);
            running::look_into_suspicions();
        }
        running::join_last_threads();
        let mut complaints = running::take_complaints();
        if finish != Finish::Passed {
            complaints.extend(dead_children());
        }
        run_endings(&finish, &mut complaints);
        let mut finish = consider(finish, &complaints);
        show(&mut finish, ended.stderr);
        finish
    };
    let thread = thread::Builder::new().name("conclusion".to_owned());
    let reason = match thread.spawn(work).map(thread::JoinHandle::join) {
        Ok(Ok(finish)) => return finish,
        Ok(Err(payload)) => at_the_end(&*payload),
        Err(error) => format!("cannot start a thread for the trial's end: {error}"),
    };
    failed(reason, "")
}

/// Number of dead children that a failure names at most.
const DEAD_CHILDREN: usize = 8;

/// Returns a sentence about each process that the test has started by itself, and that had ended
/// when nobody was looking: the server that the test wanted to talk to, say.
fn dead_children() -> Vec<String> {
    let children = process_table::unreaped_children(std::process::id().cast_signed());
    let tell = |(pid, name, end)| {
        format!(
            "process {pid} (`{name}`), which the test had started, {end} and nobody waited for it"
        )
    };
    children.into_iter().take(DEAD_CHILDREN).map(tell).collect()
}

/// Runs the work registered for the end, the last first. A panic in this work adds a complaint.
fn run_endings(finish: &Finish, complaints: &mut Vec<String>) {
    while let Some(work) = running::take_ending() {
        let passed = *finish == Finish::Passed && complaints.is_empty();
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| work(passed))) {
            complaints.push(at_the_end(&*payload));
        }
    }
}

/// Writes to stderr why the trial failed, and notes whether that leads to the runner.
///
/// nextest takes the description of a failure from a line that begins with `Error: ` (nextest 0.9).
/// The message of a panic is on stderr already. The supervisor shows complaints, above the output.
fn show(finish: &mut Finish, given: Option<FileIdentity>) {
    let Finish::Failed {
        kind,
        on_stderr,
        location: _,
        complaints: _,
        reason,
    } = finish
    else {
        return;
    };
    match kind {
        FailureKind::Panicked => {}
        FailureKind::Other => {
            eprintln!("Error: {reason}");
            *on_stderr = given.is_some() && FileIdentity::of(std::io::stderr()) == given;
        }
    }
}

fn at_the_end(payload: &(dyn Any + Send)) -> String {
    format!("at the trial's end: {PANICKED}{}", panic_message(payload))
}

/// Ends a body that cannot run its test, for this reason.
pub(super) fn give_up(reason: impl Into<String>) -> ! {
    report(failed(reason, ""), 0)
}

/// Reports to the trial's init how the test ended, and ends the process with this exit code.
fn report(finish: Finish, code: i32) -> ! {
    channel::send_finish(finish);
    // The process ends as at the end of `main`: what the test and its libraries have registered by
    // atexit(3) runs, and so do destructors of C++, counters of coverage are written, and
    // sanitizers look for leaks.
    exit_handlers::exit(code)
}
