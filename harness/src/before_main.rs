//! What this crate does before `main`, in the order that matters.

#[linkme::distributed_slice(crate::kernel::process::before_main::BEFORE_MAIN)]
static BEFORE_MAIN: fn() = before_main;

fn before_main() {
    crate::kernel::process::signal::remember_caller();
    // A trial that is taken over never comes back from there, and may read files.
    crate::files::lend();
    crate::runner::dropin::take_over();
}
