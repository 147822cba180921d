//! The process of the test body, a copy of a thread with the test's name: runs the test, and tells the truth.

mod panics;
mod profiles;
mod verdict;

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::thread;

use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::sandbox::trial::init::ORDERED;

use crate::kernel::message_channel::MessageChannel;
use crate::kernel::process;
use crate::kernel::process::{profile, sigaltstack, signal};
use crate::model::panics::panic_message;
use crate::sandbox::protocol::trial::{Finish, Report};
use crate::trial::running::{self, Remark, RunningTrial};
use crate::trial::{Body, Failed, Options, Trial};
pub(crate) use profiles::remember_supervisor;
pub(crate) use verdict::PANICKED;
use verdict::{End, consider, failed, judge};

/// To the init.
static CHANNEL: RwLock<Option<&'static MessageChannel>> = RwLock::new(None);

fn channel() -> Option<&'static MessageChannel> {
    *CHANNEL.read().unwrap_or_else(PoisonError::into_inner)
}

/// Where nodes are ordered; nothing where there is no trial.
///
/// Most trials have none, so the init hears of that channel only when there is to be one.
pub(crate) fn factory() -> nix::Result<Option<&'static MessageChannel>> {
    static ORDERS: OnceLock<MessageChannel> = OnceLock::new();
    static OPENING: Mutex<()> = Mutex::new(());
    let _alone = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    let (Some(reports), None) = (channel(), ORDERS.get()) else {
        return Ok(ORDERS.get());
    };
    let (ours, theirs) = MessageChannel::pair()?;
    reports.send_with(&Report::Orders.encode(), &[theirs.as_raw_fd()])?;
    kill(Pid::parent(), ORDERED)?;
    Ok(Some(ORDERS.get_or_init(|| ours)))
}

/// Tells everybody who asked, the last first, as values are dropped. Whoever panics over it fails the trial.
fn tell(mut finish: Finish) -> Finish {
    while let Some(work) = running::take_ending() {
        let passed = finish == Finish::Passed;
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| work(passed))) {
            let complaint = format!("at the trial's end: {PANICKED}{}", panic_message(&*payload));
            finish = consider(finish, &[complaint]);
        }
    }
    finish
}

/// Passes a remark of the test's on to the init.
fn tell_init(remark: Remark) {
    if let Some(channel) = channel() {
        let report = match remark {
            Remark::Note(text) => Report::Note(text),
            Remark::LastWords(text) => Report::LastWords(text),
        };
        let _ = channel.send(&report.encode());
    }
}

/// Does once, in the nursery, what every body would do and what does not depend on the trial.
pub(crate) fn prepare() {
    profiles::prepare();
    panics::watch();
    signal::on_trace_signal(write_down_where);
}

/// Does, on the thread that a body will be a copy of, what can be done in advance.
///
/// What that writes to is at hand there; a copy would have to be given each page of it first.
pub(crate) fn prepare_thread() {
    FAREWELL.with(|_| ());
    running::set_own_thread(true);
}

/// Runs the trial and reports; ends the process.
///
/// The calling thread is the only one: a copy of one that bears the test's name, and was prepared.
pub(crate) fn run(trial: Trial, seed: u64, index: u32, channel: MessageChannel) -> ! {
    let options = *trial.options();
    let (name, body) = trial.into_name_and_body();
    let tell = tell_init;
    running::begin(RunningTrial { name, seed, tell });
    let channel = Box::leak(Box::new(channel));
    *CHANNEL.write().unwrap_or_else(PoisonError::into_inner) = Some(channel);
    profiles::separate(index);
    sigaltstack::watch_this_thread();
    let end = panic::catch_unwind(AssertUnwindSafe(|| __rust_begin_short_backtrace(body)));
    FAREWELL.with(|farewell| farewell.0.set(Some((options, end))));
    process::end_with_this_thread()
}

thread_local! {
    /// Made before anything else of the test's, so that it is dropped after everything else.
    static FAREWELL: Farewell = const { Farewell(Cell::new(None)) };
}

/// What remains to be done when the values of the test's thread are gone.
struct Farewell(Cell<Option<(Options, End)>>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let Some((options, end)) = self.0.take() else {
            return;
        };
        let passed = matches!(end, Ok(Ok(())))
            && judge(&options, Ok(Ok(())), &panics::all()) == Finish::Passed;
        if passed && running::has_nothing_left_to_do() {
            report(Finish::Passed)
        }
        report(conclude(options, end))
    }
}

/// On a thread of its own, for on one that has lost its local values little can be done. (The caller is in the midst of
/// libc's `exit`: with glibc 2.41 and later another thread that calls it now waits until the trial is over.)
fn conclude(options: Options, end: End) -> Finish {
    let work = move || {
        let finish = judge(&options, end, &panics::all());
        running::join_last_threads();
        let finish = tell(consider(finish, &running::take_complaints()));
        if let Finish::Failed { reason, .. } = &finish
            && !reason.starts_with(PANICKED)
        {
            eprintln!("Error: {reason}");
        }
        finish
    };
    let thread = thread::Builder::new().name("conclusion".to_owned());
    let finish = match thread.spawn(work).map(thread::JoinHandle::join) {
        Ok(Ok(finish)) => return finish,
        Ok(Err(payload)) => format!("at the trial's end: {PANICKED}{}", panic_message(&*payload)),
        Err(error) => format!("cannot start a thread for the trial's end: {error}"),
    };
    failed(finish, "")
}

/// Tells the init, and ends the process.
fn report(finish: Finish) -> ! {
    if let Some(channel) = channel() {
        let _ = channel.send(&Report::Finished(finish).encode());
    }
    leave()
}

/// Ends the process: in order where an exit handler has something to write, else at once, which
/// spares a dozen page faults.
fn leave() -> ! {
    if profile::is_instrumented() {
        std::process::exit(0)
    }
    let _ = std::io::stdout().flush();
    process::flush_c_streams();
    process::exit_now(0)
}

/// The name tells std to end backtraces here.
#[inline(never)]
fn __rust_begin_short_backtrace(body: Body) -> Result<(), Failed> {
    let result = body.run();
    // Keeps the call above from becoming a jump, which would leave no frame.
    std::hint::black_box(());
    result
}

/// On the test's thread, from a signal handler, once, before the process is killed.
fn write_down_where() {
    let trace = Backtrace::force_capture();
    let name = thread::current().name().unwrap_or("<unnamed>").to_owned();
    eprintln!("thread '{name}' hangs here:\n{trace}");
    if let Some(channel) = channel() {
        let _ = channel.send(&Report::Traced.encode());
    }
}
