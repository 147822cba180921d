//! Code that runs before `main`.
//!
//! Under the standard test harness `main` is libtest's, which starts threads; a process
//! with threads can make no user namespace. A trial that is re-executed from there is
//! therefore taken over here, before `main`.
#![allow(unsafe_code)]

/// Functions that run before `main`, on the only thread of the process.
///
/// The crate above registers its functions here, since this crate knows nothing of trials.
#[linkme::distributed_slice]
pub static BEFORE_MAIN: [fn()];

/// Runs the functions of [`BEFORE_MAIN`]. The dynamic loader calls this function before `main`.
extern "C" fn before_main() {
    // linkme gathers the functions at link time, so that no memory is needed here.
    for work in BEFORE_MAIN {
        work();
    }
}

#[used]
// SAFETY: `.init_array` holds pointers to C functions without (needed) arguments, which the
// loader calls once, in order, on the only thread; std's own entry, which stores the
// program's arguments, has an earlier place in it.
#[unsafe(link_section = ".init_array.65000")]
static CONSTRUCTOR: extern "C" fn() = before_main;
