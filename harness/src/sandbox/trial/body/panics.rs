//! The panics of a test body's process, each of them remembered: one that nobody heard of fails the trial.

use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::trial::running;

/// A panic that has taken place in this process.
#[derive(Debug, Clone)]
pub(super) struct Panic {
    pub(super) thread: String,
    pub(super) message: String,
    pub(super) location: String,
    /// On the test's own thread and not in a task, where nobody but the test could catch it.
    pub(super) own: bool,
}

static PANICS: Mutex<Vec<Panic>> = Mutex::new(Vec::new());

/// Those that have taken place until now.
pub(super) fn all() -> Vec<Panic> {
    PANICS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// From now on panics are remembered, and then printed as before.
pub(super) fn watch() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        remember(info);
        print(info);
    }));
}

fn remember(info: &PanicHookInfo<'_>) {
    let panic = Panic {
        thread: thread::current().name().unwrap_or("<unnamed>").to_owned(),
        message: message_of(info),
        location: info.location().map(ToString::to_string).unwrap_or_default(),
        own: running::is_own_thread() && !in_a_task(),
    };
    let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
    // A test may well loop over a thousand of them.
    if panics.len() < 100 {
        panics.push(panic);
    } else if panic.own {
        panics.truncate(99);
        panics.push(panic);
    }
}

fn message_of(info: &PanicHookInfo<'_>) -> String {
    info.payload_as_str()
        .unwrap_or("(a value that is no text)")
        .to_owned()
}

/// A task that was spawned on the runtime of an async test runs on the test's own thread.
fn in_a_task() -> bool {
    #[cfg(feature = "tokio")]
    return tokio::task::try_id().is_some();
    #[cfg(not(feature = "tokio"))]
    false
}
