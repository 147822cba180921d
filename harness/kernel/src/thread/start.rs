//! Threads with a name, whose start is compiled once.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread with a name.
///
/// The work is boxed, because a start by std is compiled to 15 functions for each type of work.
/// With 20 types of work they were a 28th of the code that was generated for snowglobe in a user's
/// first build (`-Zdump-mono-stats`, 2026-11-30).
///
/// # Errors
/// There are too many threads.
pub fn start(
    name: impl Into<String>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    start_boxed(name.into(), Box::new(work))
}

fn start_boxed(name: String, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name).spawn(work)
}
