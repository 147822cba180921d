//! What this crate does before `main`, in the order that matters.

snowglobe_kernel::before_main!(before_main);

fn before_main() {
    crate::kernel::process::signal::remember_caller();
    // A trial that is taken over never comes back from there, and may read files.
    crate::files::lend();
    crate::runner::dropin::take_over();
}
