//! Code that runs before `main`.
//!
//! Under the standard test harness `main` is libtest's, which starts threads; a process
//! with threads can make no user namespace. A trial that is re-executed from there is
//! therefore taken over here, before `main`.

/// Called by the dynamic loader before `main`; does nothing unless this process was started
/// to run one trial.
extern "C" fn before_main() {
    crate::runner::dropin::take_over();
}

#[used]
// SAFETY: `.init_array` holds pointers to C functions without (needed) arguments, which the
// loader calls once, in order, on the only thread; std's own entry, which stores the
// program's arguments, has an earlier place in it.
#[unsafe(link_section = ".init_array.65000")]
static BEFORE_MAIN: extern "C" fn() = before_main;
