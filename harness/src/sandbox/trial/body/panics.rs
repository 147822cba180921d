//! A record of the panics in a test body's process.
//!
//! A panic on another thread, or in a task, is easily lost: nobody joins the thread, and the test
//! passes. A panic that the test neither caught nor joined fails the trial.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::{self, PanicHookInfo};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{channel, conclude};
use crate::kernel::fd::FileIdentity;
use crate::kernel::sync::Lock;
use crate::kernel::thread::unwinding::on_unwinding;
use crate::model::panics::panic_message;
use crate::trial::running;
use crate::trial::time_scale::stretched;

/// A panic that has taken place in this process.
#[derive(Debug, Clone)]
pub(super) struct Panic {
    /// Name of the thread that panicked.
    pub(super) thread: String,
    /// Text of the panic.
    pub(super) message: String,
    /// Place of the panic, as `file:line:column`.
    pub(super) location: String,
    /// Whether Rust's runtime has written the panic with its place to stderr.
    pub(super) is_printed: bool,
    /// Whether the test itself could have caught the panic: it was on the test's own thread, and
    /// not in a task.
    pub(super) own: bool,
    /// Whether another panic on the test's own thread has passed the panic on to the test, which
    /// decides what to do about the panic.
    pub(super) is_passed_on: bool,
}

/// Text of the panic by which `std::thread::scope` passes on those of its threads that nobody has
/// joined (`library/std/src/thread/scoped.rs`, rustc 1.95).
const OF_SCOPE: &str = "a scoped thread panicked";

/// Largest number of panics that are remembered.
const MOST: usize = 100;

/// Number of panics that are told at once, in case the process does not come to its end.
const TOLD_AT_ONCE: usize = 5;

static PANICS: Lock<Vec<Panic>> = Lock::new(Vec::new());

/// The file to which stderr led when the test began, if it was open; nothing before that.
static STDERR: OnceLock<Option<FileIdentity>> = OnceLock::new();

/// Time in which the place of a panic is found, on a busy machine as well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the panics that have taken place until now, with their places.
pub(super) fn all() -> Vec<Panic> {
    let end = Instant::now() + stretched(PATIENCE);
    while PENDING.load(Ordering::Relaxed) > 0 && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    PANICS.lock().clone()
}

/// Makes panics be remembered from now on, and then printed as before.
pub(super) fn watch() {
    remember_before(panic::take_hook(), true);
    on_unwinding(remember_without_hook);
}

/// Notes the file to which stderr leads as the test begins.
pub(super) fn begin(stderr: Option<FileIdentity>) {
    STDERR.get_or_init(|| stderr);
}

/// Returns whether stderr still leads where it led when the test began. A test may have closed it,
/// or have sent it elsewhere.
fn is_heard() -> bool {
    let now = || FileIdentity::of(std::io::stderr());
    STDERR
        .get()
        .is_none_or(|given| given.is_some() && *given == now())
}

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// Makes a hook of ours the present one, which remembers the panic and calls `next`, which
/// `is_printer` if it writes panics as Rust's runtime does.
fn remember_before(next: Hook, is_printer: bool) {
    let replaced = Replaced;
    // The hook that was there prints the message, which belongs to the test's output.
    panic::set_hook(Box::new(move |info| {
        let _part_of_this_hook = &replaced;
        remember(info, is_printer && is_heard());
        next(info);
        if cfg!(panic = "abort") {
            conclude::before_abort(message_of(info));
        }
    }));
}

/// Part of our hook, which is dropped with it.
///
/// A test may well set a hook of its own. std then drops the hook that was there, and has let go of
/// its lock before (`library/std/src/panicking.rs`, `set_hook`). So ours comes back, before the
/// hook of the test.
struct Replaced;

impl Drop for Replaced {
    fn drop(&mut self) {
        // A panicking thread may not change the hook.
        if !thread::panicking() {
            remember_before(panic::take_hook(), false);
        }
    }
}

thread_local! {
    /// The hook has remembered the panic whose unwinding is about to begin on this thread.
    static IS_REMEMBERED: Cell<bool> = const { Cell::new(false) };
}

fn remember(info: &PanicHookInfo<'_>, is_printed: bool) {
    IS_REMEMBERED.set(true);
    channel::tell_if_closed();
    let panic = Panic {
        is_printed,
        thread: thread_name(),
        message: message_of(info),
        location: info.location().map(ToString::to_string).unwrap_or_default(),
        own: is_own(),
        is_passed_on: false,
    };
    // A hook of the test may end the process, and then nobody else says why.
    if !is_printed && PANICS.lock().len() < TOLD_AT_ONCE {
        running::leave_last_words(&format!(
            "thread '{}' panicked at {}: {}",
            panic.thread, panic.location, panic.message
        ));
    }
    let mut panics = PANICS.lock();
    if panic.own && panic.message == OF_SCOPE {
        pass_on_all(&mut panics);
    }
    push(&mut panics, panic);
}

/// Remembers that a scope has passed on the panics of its threads. std does not tell which threads
/// belong to a scope, so the panics of all other threads until now are taken for theirs.
fn pass_on_all(panics: &mut [Panic]) {
    for panic in panics.iter_mut().filter(|panic| !panic.own) {
        panic.is_passed_on = true;
    }
}

/// Remembers a panic whose unwinding begins, if no hook of ours has: the test has taken the hook
/// away and keeps it, or passes a panic on with `resume_unwind`, which calls none.
fn remember_without_hook(payload: &(dyn Any + Send)) {
    if IS_REMEMBERED.replace(false) {
        return;
    }
    let own = is_own();
    let is_text = payload.is::<&'static str>() || payload.is::<String>();
    // Libraries stop their threads by values of their own, and catch them again.
    if !own && !is_text {
        return;
    }
    remember_unwinding(panic_message(payload), own, place_of_unwinding);
}

/// Remembers a panic of which only the unwinding tells. `find_place` may take half a second, in
/// which the test may end: the panic is remembered before.
fn remember_unwinding(message: String, own: bool, find_place: impl FnOnce() -> String) {
    let thread = thread_name();
    let earlier = |panic: &&mut Panic| panic.message == message;
    // One lock for the search and the push: a place that was found in between would be missing in
    // the copy.
    let mut panics = PANICS.lock();
    if own && message == OF_SCOPE {
        pass_on_all(&mut panics);
    }
    if let Some(earlier) = panics.iter_mut().rev().find(earlier) {
        let panic = Panic {
            thread,
            own,
            is_passed_on: false,
            ..earlier.clone()
        };
        earlier.is_passed_on |= own && !earlier.own;
        push(&mut panics, panic);
        return;
    }
    let _pending = Pending::begin();
    let panic = Panic {
        thread,
        location: String::new(),
        is_printed: false,
        message: message.clone(),
        own,
        is_passed_on: false,
    };
    push(&mut panics, panic);
    drop(panics);
    let location = find_place();
    // A panic that was passed on meanwhile has copies, and the copies lack the place as well.
    let mut panics = PANICS.lock();
    let without = |it: &&mut Panic| it.location.is_empty() && it.message == message;
    for panic in panics.iter_mut().filter(without) {
        panic.location.clone_from(&location);
    }
}

/// Number of threads that find out the place of a panic.
static PENDING: AtomicUsize = AtomicUsize::new(0);

/// Part of a thread that finds out the place of a panic.
struct Pending;

impl Pending {
    fn begin() -> Self {
        PENDING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        PENDING.fetch_sub(1, Ordering::Relaxed);
    }
}

fn thread_name() -> String {
    thread::current().name().unwrap_or("<unnamed>").to_owned()
}

/// Returns whether a panic of the calling thread is the test's own.
fn is_own() -> bool {
    running::is_own_thread() && !in_a_task()
}

fn push(panics: &mut Vec<Panic>, panic: Panic) {
    // A test may well loop over a thousand of them. The test's own last one is the reason of a
    // failure.
    if panics.len() < MOST {
        panics.push(panic);
    } else if panic.own {
        panics.truncate(MOST - 1);
        panics.push(panic);
    }
}

/// Returns where the code stands that has begun an unwinding, as `file:line:column`, or nothing.
///
/// No part of std tells the place but the text of a backtrace. The place is for people alone.
fn place_of_unwinding() -> String {
    place_in(&Backtrace::force_capture().to_string())
}

/// Returns the place of the first frame in a backtrace that belongs neither to std nor to the
/// unwinding.
fn place_in(trace: &str) -> String {
    let places = trace.lines().map(str::trim_start);
    let places = places.filter_map(|line| line.strip_prefix("at "));
    // The last frame of ours is the function that the unwinding begins with.
    let is_ours = |place: &&str| place.contains("/thread/unwinding.rs:");
    let mut behind_ours = places
        .skip_while(|place| !is_ours(place))
        .skip_while(is_ours);
    let is_std = |place: &str| place.starts_with("/rustc/") || place.contains("/library/std/");
    let place = behind_ours.find(|place| !is_std(place) && !is_ours(place));
    let place = place.unwrap_or_default();
    place.strip_prefix("./").unwrap_or(place).to_owned()
}

fn message_of(info: &PanicHookInfo<'_>) -> String {
    info.payload_as_str()
        .unwrap_or("(a value that is no text)")
        .to_owned()
}

/// Returns whether the calling thread runs a spawned task: on the runtime of an async test that is
/// the test's own thread.
fn in_a_task() -> bool {
    #[cfg(feature = "tokio")]
    return tokio::task::try_id().is_some();
    #[cfg(not(feature = "tokio"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_remembered_before_its_place_is_found() {
        let known = || -> Vec<String> {
            let panics = PANICS.lock();
            let found = panics.iter().filter(|it| it.message == "remembered first");
            found.map(|it| it.location.clone()).collect()
        };
        remember_unwinding("remembered first".to_owned(), false, || {
            assert_eq!(known(), [""]);
            // Another thread passes the panic on.
            remember_unwinding("remembered first".to_owned(), false, || {
                panic!("the place is being found already")
            });
            assert_eq!(known(), ["", ""]);
            "tests/example.rs:1:2".to_owned()
        });
        assert_eq!(known(), ["tests/example.rs:1:2"; 2]);
    }

    #[test]
    fn the_place_of_an_unwinding_is_that_of_the_first_foreign_frame() {
        let trace = "
   0: snowglobe::sandbox::trial::body::panics::place_of_unwinding
             at ./harness/src/sandbox/trial/body/panics.rs:9:9
   1: std::panic::catch_unwind
             at /rustc/0123/library/std/src/panic.rs:1:2
   2: _Unwind_RaiseException
             at ./harness/kernel/src/thread/unwinding.rs:63:13
   3: std::panic::resume_unwind
             at /rustc/0123/library/std/src/panic.rs:388:5
   4: example::passes_on
             at ./tests/example.rs:12:5
   5: example::test
             at ./tests/example.rs:20:5";
        assert_eq!(place_in(trace), "tests/example.rs:12:5");
        assert_eq!(place_in("   0: <unknown>"), "");
    }
}
