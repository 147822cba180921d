//! The process of the test body, a copy of a thread with the test's name: runs the test, and tells the truth.

mod panics;
mod profiles;
mod verdict;

use std::backtrace::Backtrace;
use std::borrow::Cow;
use std::cell::Cell;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
use std::thread;

use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::sandbox::trial::init::ORDERED;

use crate::kernel::fd::Channel;
use crate::kernel::{process, profile, signal, stack};
use crate::sandbox::protocol::trial::{Finish, Report};
use crate::trial::{Body, Failed, Options, Trial};
pub(crate) use profiles::remember_supervisor;
use verdict::{End, consider, failed, judge};
pub(crate) use verdict::{PANICKED, message};

/// What a test body can ask about itself.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) name: Cow<'static, str>,
    pub(crate) seed: u64,
}

static CURRENT: RwLock<Option<&'static Current>> = RwLock::new(None);

/// The trial that this process runs, if it runs one.
pub(crate) fn current() -> Option<&'static Current> {
    *CURRENT.read().unwrap_or_else(PoisonError::into_inner)
}

/// To the init.
static CHANNEL: RwLock<Option<&'static Channel>> = RwLock::new(None);

fn channel() -> Option<&'static Channel> {
    *CHANNEL.read().unwrap_or_else(PoisonError::into_inner)
}

/// Where nodes are ordered; nothing where there is no trial.
///
/// Most trials have none, so the init hears of that channel only when there is to be one.
pub(crate) fn factory() -> nix::Result<Option<&'static Channel>> {
    static ORDERS: OnceLock<Channel> = OnceLock::new();
    static OPENING: Mutex<()> = Mutex::new(());
    let _alone = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    let (Some(reports), None) = (channel(), ORDERS.get()) else {
        return Ok(ORDERS.get());
    };
    let (ours, theirs) = Channel::pair()?;
    reports.send_with(&Report::Orders.encode(), &[theirs.as_raw_fd()])?;
    kill(Pid::parent(), ORDERED)?;
    Ok(Some(ORDERS.get_or_init(|| ours)))
}

/// Work that must be done before the verdict is told.
static LAST_WORKS: Mutex<Vec<thread::JoinHandle<()>>> = Mutex::new(Vec::new());

/// Has the trial wait for that thread when it is over.
pub(crate) fn wait_at_the_end(thread: thread::JoinHandle<()>) {
    LAST_WORKS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(thread);
}

fn finish_last_works() {
    let works = std::mem::take(&mut *LAST_WORKS.lock().unwrap_or_else(PoisonError::into_inner));
    for work in works {
        let _ = work.join();
    }
}

/// What [`at_end`] was given.
static ENDINGS: Mutex<Vec<Ending>> = Mutex::new(Vec::new());

type Ending = Box<dyn FnOnce(bool) + Send>;

/// Has `work` called when it is known whether the trial has passed.
pub(crate) fn at_end(work: Ending) {
    ENDINGS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(work);
}

/// Tells everybody who asked, the last first, as values are dropped. Whoever panics over it fails the trial.
fn tell(mut finish: Finish) -> Finish {
    let next = || {
        let mut endings = ENDINGS.lock().unwrap_or_else(PoisonError::into_inner);
        endings.pop()
    };
    while let Some(work) = next() {
        let passed = finish == Finish::Passed;
        if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| work(passed))) {
            let complaint = format!("at the trial's end: {PANICKED}{}", message(&*payload));
            finish = consider(finish, &[complaint]);
        }
    }
    finish
}

/// So many notes of one trial are kept, and so much of each, in bytes.
const NOTES: (usize, usize) = (10, 500);

/// Has `text` shown beside the verdict, on one line; false where there is no trial.
///
/// It is sent at once, so that it is known however the trial ends.
pub(crate) fn note(text: &str) -> bool {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let Some(channel) = channel() else {
        return false;
    };
    if COUNT.fetch_add(1, Ordering::Relaxed) < NOTES.0 {
        let _ = channel.send(&Report::Note(one_line(text)).encode());
    }
    true
}

/// Has `text` shown beside the verdict if the process does not come to its end, and so cannot say more: after a crash or a time-out.
pub(crate) fn leave_last_words(text: &str) {
    if let Some(channel) = channel() {
        let _ = channel.send(&Report::LastWords(one_line(text)).encode());
    }
}

fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > NOTES.1 {
        line.truncate(line.floor_char_boundary(NOTES.1));
        line.push('…');
    }
    line
}

/// What happened behind the test's back, a sentence each.
static COMPLAINTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Fails the trial, or adds to the reason why it fails.
pub(crate) fn complain(sentence: String) {
    COMPLAINTS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(sentence);
}

thread_local! {
    static OWN_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is the test's own, or works for it.
pub(crate) fn is_own_thread() -> bool {
    OWN_THREAD.with(Cell::get)
}

/// From now on the calling thread's panics are the test's, or are not.
pub(crate) fn set_own_thread(own: bool) {
    OWN_THREAD.with(|cell| cell.set(own));
}

/// Does once, in the nursery, what every body would do and what does not depend on the trial.
pub(crate) fn prepare() {
    profiles::prepare();
    crate::observe::prepare();
    panics::watch();
    signal::on_trace_signal(write_down_where);
}

/// Does, on the thread that a body will be a copy of, what can be done in advance.
///
/// What that writes to is at hand there; a copy would have to be given each page of it first.
pub(crate) fn prepare_thread() {
    FAREWELL.with(|_| ());
    set_own_thread(true);
    crate::observe::begin();
}

/// Runs the trial and reports; ends the process.
///
/// The calling thread is the only one: a copy of one that bears the test's name, and was prepared.
pub(crate) fn run(trial: Trial, seed: u64, index: u32, channel: Channel) -> ! {
    let options = *trial.options();
    let (name, body) = trial.into_name_and_body();
    set(&CURRENT, Current { name, seed });
    set(&CHANNEL, channel);
    profiles::separate(index);
    stack::watch_this_thread();
    let end = panic::catch_unwind(AssertUnwindSafe(|| __rust_begin_short_backtrace(body)));
    FAREWELL.with(|farewell| farewell.0.set(Some((options, end))));
    process::end_with_this_thread()
}

fn set<T>(place: &RwLock<Option<&'static T>>, value: T) {
    *place.write().unwrap_or_else(PoisonError::into_inner) = Some(Box::leak(Box::new(value)));
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
        if passed && nothing_is_left_to_do() {
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
        finish_last_works();
        let finish = tell(consider(finish, &complaints()));
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
        Ok(Err(payload)) => format!("at the trial's end: {PANICKED}{}", message(&*payload)),
        Err(error) => format!("cannot start a thread for the trial's end: {error}"),
    };
    failed(finish, "")
}

fn nothing_is_left_to_do() -> bool {
    fn is_empty<T>(list: &Mutex<Vec<T>>) -> bool {
        list.lock().is_ok_and(|list| list.is_empty())
    }
    is_empty(&LAST_WORKS) && is_empty(&ENDINGS) && is_empty(&COMPLAINTS)
}

fn complaints() -> Vec<String> {
    std::mem::take(&mut *COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner))
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
