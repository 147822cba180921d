//! What the macros expand to; not for anybody else.

pub use linkme;

pub use crate::model::duration::in_option as time;
pub use crate::runner::dropin::drop_in;
pub use crate::runner::main;
use crate::trial::Failed;
pub use crate::trial::{Definition, Outcome, TRIALS};

/// Makes a test function's result uniform.
pub fn outcome(outcome: impl Outcome) -> Result<(), Failed> {
    outcome.into_outcome()
}

/// Runs an async test on a runtime of its own: the calling thread's, or one with `workers`.
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
