//! Trials for which a program never asks.
//!
//! With `harness = false`, whoever writes `fn main() {}` in the place of `snowglobe::main!();` has
//! a program that compiles, runs no trial, and is green. Such a program fails at its end.

use std::sync::atomic::{AtomicBool, Ordering};

use super::trial::TRIALS;
use crate::kernel::process::exit_now;

/// Exit code of a program that has run none of its trials: that of libtest for a failure.
const FAILED: i32 = 101;

/// Whether the program, or the process of which this one is a copy, has asked for its trials.
static WERE_READ: AtomicBool = AtomicBool::new(false);

/// Notes that the program knows of its trials.
pub(crate) fn note_reader() {
    WERE_READ.store(true, Ordering::Relaxed);
}

crate::kernel::before_end!(tell_of_unread);

/// Ends a program that has asked for none of its trials with a failure.
extern "C" fn tell_of_unread() {
    if WERE_READ.load(Ordering::Relaxed) {
        return;
    }
    let mut unread = TRIALS.iter().filter(|it| it.only_by_main);
    let Some(first) = unread.next() else {
        return;
    };
    eprintln!(
        "error: {} trials would never run, as that of {}:{}: the target has `harness = false`, and \
         its `main` asks for no trials; write `snowglobe::main!();` in the place of `fn main`, hand \
         `snowglobe::registered()` to `snowglobe::run`, or remove `harness = false`",
        1 + unread.count(),
        first.file,
        first.line
    );
    exit_now(FAILED)
}
