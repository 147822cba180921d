//! The trial that this process runs: what a test can ask of the trial, and can leave there.
//!
//! A process runs one trial at most, but any thread of that process may note something, complain,
//! or register work for the end, and so may the library's own threads: a lab's, a capture's. All of
//! that is kept here, and the process of the test body asks for it when the test function is over.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::kernel::sync::{Lock, SharedLock};

/// The trial that this process runs.
#[derive(Debug)]
pub(crate) struct RunningTrial {
    /// Name of the trial.
    pub(crate) name: Cow<'static, str>,
    /// Seed from which the trial derives its random choices.
    pub(crate) seed: u64,
    /// Whether the body is root of the trial, and no ordinary user.
    pub(crate) is_root: bool,
    /// Passes a remark on, at once.
    pub(crate) tell: fn(Remark),
}

/// Something that is shown beside the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remark {
    /// Shown in any case.
    Note(String),
    /// Shown only if the test body's process does not come to its end.
    LastWords(String),
    /// The end of a program that nobody waited for. Shown before everything else, if the test
    /// body's process does not come to its end and so cannot say it itself.
    Death(String),
}

static CURRENT: SharedLock<Option<&'static RunningTrial>> = SharedLock::new(None);

/// Returns the trial that this process runs, if it runs one.
pub(crate) fn current() -> Option<&'static RunningTrial> {
    *CURRENT.read()
}

/// Returns whether this process runs a trial as an ordinary user.
pub(crate) fn is_ordinary_user() -> bool {
    current().is_some_and(|trial| !trial.is_root)
}

/// Makes `trial` the one that this process runs.
pub(crate) fn begin(trial: RunningTrial) {
    let trial = Box::leak(Box::new(trial));
    *CURRENT.write() = Some(trial);
}

/// Number of notes of one trial that are kept.
const NOTES: usize = 10;
/// Length at which a note is cut, in bytes.
const NOTE_LENGTH: usize = 500;

/// The function that hears of each note of the test.
static NOTE_LISTENER: OnceLock<fn(&str)> = OnceLock::new();

/// Registers the function that hears of each note of the test. Only the first call counts.
pub(crate) fn on_note(listener: fn(&str)) {
    NOTE_LISTENER.get_or_init(|| listener);
}

/// Shows `text` beside the verdict, on one line, and tells the listener of notes; returns false
/// outside of a trial.
pub(crate) fn note_of_the_test(text: &str) -> bool {
    if let Some(listener) = NOTE_LISTENER.get() {
        listener(text);
    }
    note(text)
}

/// Shows `text` beside the verdict, on one line; returns false outside of a trial.
///
/// The note is sent at once, so that it is known however the trial ends.
pub(crate) fn note(text: &str) -> bool {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let Some(trial) = current() else {
        return false;
    };
    if COUNT.fetch_add(1, Ordering::Relaxed) < NOTES {
        (trial.tell)(Remark::Note(one_line(text)));
    }
    true
}

/// Shows `text` beside the verdict if the process does not come to its end and so cannot say more:
/// after a crash or a time-out.
pub(crate) fn leave_last_words(text: &str) {
    if let Some(trial) = current() {
        (trial.tell)(Remark::LastWords(one_line(text)));
    }
}

/// Number of ends of programs that one trial tells of.
const DEATHS: usize = 8;
/// Length at which the last lines of a program are cut, in bytes.
const DEATH_LENGTH: usize = 2000;

/// Tells of the end of a program that nobody waited for, in case the process of the test does not
/// come to its end.
pub(crate) fn tell_of_death(mut sentence: String) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let Some(trial) = current() else {
        return;
    };
    if COUNT.fetch_add(1, Ordering::Relaxed) < DEATHS {
        if sentence.len() > DEATH_LENGTH {
            sentence.truncate(sentence.floor_char_boundary(DEATH_LENGTH));
            sentence.push('…');
        }
        (trial.tell)(Remark::Death(sentence));
    }
}

/// Number of sentences that are kept for a trial that fails.
const CIRCUMSTANCES_KEPT: usize = 8;

/// Sentences about what is normal in a trial that passes, and may be why a trial has failed.
static CIRCUMSTANCES: Lock<Vec<String>> = Lock::new(Vec::new());

/// Shows `sentence` beside the verdict if the trial fails.
pub(crate) fn note_if_failed(sentence: String) {
    let mut circumstances = CIRCUMSTANCES.lock();
    if circumstances.len() < CIRCUMSTANCES_KEPT {
        circumstances.push(sentence);
    }
}

fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > NOTE_LENGTH {
        line.truncate(line.floor_char_boundary(NOTE_LENGTH));
        line.push('…');
    }
    line
}

/// Sentences about what happened behind the test's back. Any of them fails the trial.
static COMPLAINTS: Lock<Vec<String>> = Lock::new(Vec::new());

/// Fails the trial, or adds `sentence` to the reason for which the trial fails.
pub(crate) fn complain(sentence: String) {
    COMPLAINTS.lock().push(sentence);
}

/// Takes the complaints that there are.
pub(crate) fn take_complaints() -> Vec<String> {
    std::mem::take(&mut *COMPLAINTS.lock())
}

/// A function that finds out whether something outside of the trial may be why the trial has
/// failed, and returns a sentence about that.
pub(crate) type Suspicion = fn() -> Option<String>;

static SUSPICIONS: Lock<Vec<Suspicion>> = Lock::new(Vec::new());

/// Makes `suspicion` be looked into if the trial fails. A trial that passes does not pay for the
/// look.
pub(crate) fn suspect(suspicion: Suspicion) {
    let mut suspicions = SUSPICIONS.lock();
    if !suspicions
        .iter()
        .any(|known| std::ptr::fn_addr_eq(*known, suspicion))
    {
        suspicions.push(suspicion);
    }
}

/// Looks into what may be why the trial has failed, and shows what is found beside the verdict.
pub(crate) fn look_into_suspicions() {
    let suspicions = std::mem::take(&mut *SUSPICIONS.lock());
    let circumstances = std::mem::take(&mut *CIRCUMSTANCES.lock());
    let found = suspicions.into_iter().filter_map(|suspicion| suspicion());
    for sentence in found.chain(circumstances) {
        note(&sentence);
    }
}

/// Work for the end of the trial, which is told whether the trial has passed.
pub(crate) type Ending = Box<dyn FnOnce(bool) + Send>;

static ENDINGS: Lock<Vec<Ending>> = Lock::new(Vec::new());

/// Registers `work`; it runs when it is known whether the trial has passed.
pub(crate) fn at_end(work: Ending) {
    ENDINGS.lock().push(work);
}

/// Takes the work that was registered last, for values are dropped in this order too.
pub(crate) fn take_ending() -> Option<Ending> {
    ENDINGS.lock().pop()
}

/// Threads that must end before the verdict is told.
static LAST_THREADS: Lock<Vec<JoinHandle<()>>> = Lock::new(Vec::new());

/// Makes the trial wait for `thread` before the verdict is told.
pub(crate) fn wait_at_the_end(thread: JoinHandle<()>) {
    LAST_THREADS.lock().push(thread);
}

/// Waits for the threads that must end before the verdict is told.
pub(crate) fn join_last_threads() {
    let threads = std::mem::take(&mut *LAST_THREADS.lock());
    for thread in threads {
        // A panic of the thread is known already: the panic hook remembers each of them.
        let _ = thread.join();
    }
}

/// Returns whether nobody has complained, and nothing was registered for the end.
pub(crate) fn has_nothing_left_to_do() -> bool {
    LAST_THREADS.lock().is_empty() && ENDINGS.lock().is_empty() && COMPLAINTS.lock().is_empty()
}

thread_local! {
    static OWN_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether the calling thread is the test's own, or works for the test.
pub(crate) fn is_own_thread() -> bool {
    OWN_THREAD.with(Cell::get)
}

/// Says whether panics of the calling thread are the test's from now on.
pub(crate) fn set_own_thread(own: bool) {
    OWN_THREAD.with(|cell| cell.set(own));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_short_line() {
        assert_eq!(one_line("a\n  b\tc "), "a b c");
        let long = one_line(&"é".repeat(NOTE_LENGTH));
        assert!(long.ends_with("é…") && long.len() <= NOTE_LENGTH + '…'.len_utf8());
    }
}
