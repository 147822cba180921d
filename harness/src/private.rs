//! Functions and types that the macros expand to. They are no part of the public interface.

pub use crate::kernel::process::reader::wants_reader;
pub use crate::model::duration::in_option as time;
pub use crate::runner::dropin::{drop_in, drop_in_and_panic};
pub use crate::runner::main;
pub use crate::trial::returned::{
    NoOutcome, OutcomeByDebug, OutcomeByDisplay, OutcomeByExitCode, Returned,
};
pub use crate::trial::{Definition, TRIALS};

/// Runs an async test on a tokio runtime of its own, which has `workers` threads, or runs on the
/// calling thread if that is 0.
#[cfg(feature = "tokio")]
pub fn block_on<F: Future>(workers: usize, future: F) -> F::Output {
    use tokio::runtime::Builder;
    let runtime = match workers {
        0 => Builder::new_current_thread().enable_all().build(),
        workers => Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build(),
    };
    runtime
        .expect("a tokio runtime can be started")
        .block_on(future)
}

/// Runs a function that is `async` in name only: it never waits.
///
/// # Panics
/// The function waits.
pub fn poll_once<F: Future>(future: F) -> F::Output {
    use std::task::{Context, Poll, Waker};
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a function that is not `async` waits like one that is"),
    }
}
