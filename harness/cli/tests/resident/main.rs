//! Under nextest the wrappers that are alike have one process run their programs, and nobody
//! notices: what is true of a start of `snowglobe exec` by itself is true of one in a nextest run.

#[path = "../exec/signals.rs"]
mod signals;
#[path = "../exec/stdio.rs"]
mod stdio;
#[path = "../exec/terminal.rs"]
mod terminal;
#[path = "../exec/wrapper.rs"]
mod wrapper;

mod run;
mod sharing;

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

/// Returns the variables by which a start is one of a nextest run, as env(1) takes them. Whoever
/// runs env plays nextest, and does not have them itself. Each test has a run of its own, in which
/// one start follows another.
fn variables() -> Vec<String> {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static RUN: Cell<Option<u32>> = const { Cell::new(None) };
    }
    let run = RUN.get();
    let run = run.unwrap_or_else(|| RUNS.fetch_add(1, Ordering::Relaxed));
    RUN.set(Some(run));
    run::variables(&format!("run-{run}"), 0)
}
