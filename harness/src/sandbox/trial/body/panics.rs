//! A record of the panics in a test body's process.
//!
//! A panic on another thread, or in a task, is easily lost: nobody joins the thread, and the test
//! passes. A panic that the test neither caught nor joined fails the trial.

use std::panic::{self, PanicHookInfo};
use std::thread;

use crate::kernel::sync::Lock;
use crate::trial::running;

/// A panic that has taken place in this process.
#[derive(Debug, Clone)]
pub(super) struct Panic {
    /// Name of the thread that panicked.
    pub(super) thread: String,
    /// Text of the panic.
    pub(super) message: String,
    /// Place of the panic, as `file:line:column`.
    pub(super) location: String,
    /// Whether the test itself could have caught the panic: it was on the test's own thread, and
    /// not in a task.
    pub(super) own: bool,
}

/// Largest number of panics that are remembered.
const MOST: usize = 100;

static PANICS: Lock<Vec<Panic>> = Lock::new(Vec::new());

/// Returns the panics that have taken place until now.
pub(super) fn all() -> Vec<Panic> {
    PANICS.lock().clone()
}

/// Makes panics be remembered from now on, and then printed as before.
pub(super) fn watch() {
    let print = panic::take_hook();
    // The hook that was there prints the message, which belongs to the test's output.
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
    let mut panics = PANICS.lock();
    // A test may well loop over a thousand of them. The test's own last one is the reason of a
    // failure.
    if panics.len() < MOST {
        panics.push(panic);
    } else if panic.own {
        panics.truncate(MOST - 1);
        panics.push(panic);
    }
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
