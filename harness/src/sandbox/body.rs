//! The process of the test body: runs the test on a thread with its name, and tells the truth.

use std::any::Any;
use std::backtrace::Backtrace;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use super::panics::{self, Panic};
use crate::kernel::fd::Channel;
use crate::kernel::{clone, process, profile, signal, stack};
use crate::runner::protocol::{Finish, Report};
use crate::trial::{Body, Failed, Options, ShouldPanic, Trial};

/// What a test body can ask about itself.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) name: String,
    pub(crate) seed: u64,
}

static CURRENT: OnceLock<Current> = OnceLock::new();

/// The trial that this process runs, if it runs one.
pub(crate) fn current() -> Option<&'static Current> {
    CURRENT.get()
}

static CHANNEL: OnceLock<Channel> = OnceLock::new();

static NODES: OnceLock<Channel> = OnceLock::new();

/// Where nodes are ordered, in the process of a trial's body.
pub(crate) fn factory() -> Option<&'static Channel> {
    NODES.get()
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
    let Some(channel) = CHANNEL.get() else {
        return false;
    };
    if COUNT.fetch_add(1, Ordering::Relaxed) < NOTES.0 {
        let _ = channel.send(&Report::Note(one_line(text)).encode());
    }
    true
}

/// Has `text` shown beside the verdict if the process does not come to its end, and so cannot say more: after a crash or a time-out.
pub(crate) fn leave_last_words(text: &str) {
    if let Some(channel) = CHANNEL.get() {
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

/// The verdict in the light of the complaints.
fn consider(finish: Finish, complaints: &[String]) -> Finish {
    if complaints.is_empty() {
        return finish;
    }
    let complaints = complaints.join("\n");
    match finish {
        Finish::Passed => failed(complaints, ""),
        Finish::Failed { reason, location } => failed(format!("{reason}\n{complaints}"), location),
    }
}

thread_local! {
    static OWN_THREAD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether the calling thread is the test's own, or works for it.
pub(crate) fn is_own_thread() -> bool {
    OWN_THREAD.with(std::cell::Cell::get)
}

/// From now on the calling thread's panics are the test's, or are not.
pub(crate) fn set_own_thread(own: bool) {
    OWN_THREAD.with(|cell| cell.set(own));
}

/// Does once, in the zygote, what every body will do: starts a thread and waits for its end.
///
/// What libc and std set up on that occasion (symbols looked up, a stack, a heap) is then there in
/// every copy. The zygote has a single thread again when this returns.
pub(crate) fn rehearse() {
    // Twice, for the second takes other paths: it finds what the first has left.
    for _ in 0..2 {
        if let Ok(thread) = thread::Builder::new()
            .name("rehearsal".to_owned())
            .spawn(|| ())
        {
            let _ = thread.join();
        }
    }
    // A thread that has been joined is still on its way out for a moment.
    while !clone::single_threaded() {
        thread::yield_now();
    }
}

/// Runs the trial and reports; ends the process.
pub(crate) fn run(trial: Trial, seed: u64, index: u32, channel: Channel, nodes: Channel) -> ! {
    let name = trial.name().to_owned();
    let options = *trial.options();
    crate::observe::begin();
    let _ = CURRENT.set(Current {
        name: name.clone(),
        seed,
    });
    let channel = CHANNEL.get_or_init(|| channel);
    let _ = NODES.set(nodes);
    separate_profiles(index);
    panics::watch();
    let body = trial.into_body();
    let thread = thread::Builder::new().name(name).spawn(move || {
        signal::trace_this_thread(write_down_where);
        stack::watch_this_thread();
        set_own_thread(true);
        __rust_begin_short_backtrace(body)
    });
    let finish = match thread {
        Ok(thread) => judge(&options, thread.join(), &panics::all()),
        Err(error) => failed(
            format!("cannot start the test's thread: {error}"),
            String::new(),
        ),
    };
    finish_last_works();
    let finish = consider(
        finish,
        &COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner),
    );
    let finish = tell(finish);
    if let Finish::Failed { reason, .. } = &finish
        && !reason.starts_with(PANICKED)
    {
        eprintln!("Error: {reason}");
    }
    let _ = channel.send(&Report::Finished(finish).encode());
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

fn failed(reason: impl Into<String>, location: impl Into<String>) -> Finish {
    Finish::Failed {
        reason: reason.into(),
        location: location.into(),
    }
}

/// How the reason of a panic begins; the panic's own message is on stderr already.
pub(crate) const PANICKED: &str = "panicked: ";

/// What the body's end means.
fn judge(options: &Options, end: thread::Result<Result<(), Failed>>, panics: &[Panic]) -> Finish {
    let own = panics.iter().rev().find(|panic| panic.own);
    let location = own.map(|panic| panic.location.clone()).unwrap_or_default();
    match (end, &options.should_panic) {
        (Err(payload), ShouldPanic::No) => {
            failed(format!("{PANICKED}{}", message(&*payload)), location)
        }
        (Err(_), ShouldPanic::Yes) => Finish::Passed,
        (Err(payload), ShouldPanic::With(expected)) => {
            let message = message(&*payload);
            match message.contains(expected) {
                true => Finish::Passed,
                false => failed(
                    format!(
                        "panic did not contain expected string\n      panic message: {message:?}\n expected substring: {expected:?}"
                    ),
                    location,
                ),
            }
        }
        (Ok(Err(error)), _) => {
            let location = error
                .location()
                .map(|(file, line, column)| format!("{file}:{line}:{column}"));
            failed(error.message(), location.unwrap_or_default())
        }
        (Ok(Ok(())), ShouldPanic::No) => match panics.iter().find(|panic| !panic.own) {
            Some(panic) if !options.allow_panics => failed(
                format!(
                    "a panic was swallowed: thread '{}' panicked: {}\njoin that thread or task and pass its panic on, or expect it: #[snowglobe::test(allow_panics)]",
                    panic.thread, panic.message
                ),
                panic.location.clone(),
            ),
            _ => Finish::Passed,
        },
        (Ok(Ok(())), _) => failed("test did not panic as expected", ""),
    }
}

pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(a value that is no text)".to_owned())
}

/// On the test's thread, from a signal handler, once, before the process is killed.
fn write_down_where() {
    let trace = Backtrace::force_capture();
    let name = thread::current().name().unwrap_or("<unnamed>").to_owned();
    eprintln!("thread '{name}' hangs here:\n{trace}");
    if let Some(channel) = CHANNEL.get() {
        let _ = channel.send(&Report::Traced.encode());
    }
}

/// In a PID namespace `%p` is the same number for everybody, and a profile's file is chosen before
/// the fork: adds what tells trials apart, for this process and for those that it starts.
fn separate_profiles(index: u32) {
    let given = std::env::var("LLVM_PROFILE_FILE").ok();
    if given.is_none() && !profile::is_instrumented() {
        return;
    }
    let pattern = separated(given.as_deref().unwrap_or("default_%p.profraw"), index);
    profile::write_to(&pattern);
    process::set_env("LLVM_PROFILE_FILE", &pattern);
}

fn separated(pattern: &str, index: u32) -> String {
    let run = supervisor_pid();
    pattern.replace("%p", &format!("{run}-{index}-%p"))
}

static SUPERVISOR: AtomicU32 = AtomicU32::new(0);

/// Remembers the supervisor's process id, which no other run has at the same time.
pub(crate) fn remember_supervisor() {
    SUPERVISOR.store(std::process::id(), Ordering::Relaxed);
}

fn supervisor_pid() -> u32 {
    SUPERVISOR.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic(own: bool) -> Panic {
        Panic {
            thread: "t".into(),
            message: "boom".into(),
            location: "a.rs:1:2".into(),
            own,
        }
    }

    fn reason(finish: Finish) -> String {
        match finish {
            Finish::Passed => "passed".into(),
            Finish::Failed { reason, .. } => reason,
        }
    }

    #[test]
    fn a_body_that_returns_has_passed() {
        assert_eq!(judge(&Options::NEW, Ok(Ok(())), &[]), Finish::Passed);
    }

    #[test]
    fn a_panic_is_a_failure_where_it_stood() {
        let finish = judge(&Options::NEW, Err(Box::new("boom")), &[panic(true)]);
        assert_eq!(finish, failed("panicked: boom", "a.rs:1:2"));
    }

    #[test]
    fn a_panic_elsewhere_is_a_failure_unless_allowed() {
        assert!(reason(judge(&Options::NEW, Ok(Ok(())), &[panic(false)])).contains("swallowed"));
        assert_eq!(
            judge(&Options::NEW.allow_panics(), Ok(Ok(())), &[panic(false)]),
            Finish::Passed
        );
        assert_eq!(
            judge(&Options::NEW, Ok(Ok(())), &[panic(true)]),
            Finish::Passed
        );
    }

    #[test]
    fn an_expected_panic_is_a_pass_with_the_right_text_only() {
        let options = Options::NEW.should_panic_with("boo");
        assert_eq!(judge(&options, Err(Box::new("boom")), &[]), Finish::Passed);
        assert!(reason(judge(&options, Err(Box::new("bang")), &[])).contains("\"bang\""));
        assert!(reason(judge(&options, Ok(Ok(())), &[])).contains("did not panic"));
    }

    #[test]
    fn a_complaint_fails_a_test_that_has_passed_and_is_added_to_a_failure() {
        let complaints = ["nginx died".to_owned()];
        assert_eq!(
            consider(Finish::Passed, &complaints),
            failed("nginx died", "")
        );
        assert_eq!(
            consider(failed("boom", "a.rs:1:2"), &complaints),
            failed("boom\nnginx died", "a.rs:1:2")
        );
        assert_eq!(consider(Finish::Passed, &[]), Finish::Passed);
    }

    #[test]
    fn profiles_of_trials_do_not_share_a_file() {
        assert_eq!(separated("a-%p-%m.profraw", 3), "a-0-3-%p-%m.profraw");
    }
}
