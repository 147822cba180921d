//! A sealed little world for every test.

mod kernel;
mod probe;
mod runner;
mod sandbox;
mod trial;

pub use probe::Feature;
pub use runner::{Arguments, Color, Conclusion, Format, RunError, registered, run};
pub use trial::{Failed, Isolation, Need, Options, Outcome, ShouldPanic, TestResult, Trial, Weight};
pub use snowglobe_macros::{main, test};

/// The seed of the running trial.
pub fn seed() -> u64 { sandbox::body::current().map_or(0, |c| c.seed) }

pub struct Fixture;
impl Fixture { pub fn find(_: &str) -> Result<Fixture, String> { Err("x".into()) } }
#[doc(hidden)]
pub mod __private {
    pub use linkme;
    use crate::trial::{Failed, Outcome};
    pub fn outcome(o: impl Outcome) -> Result<(), Failed> { o.into_outcome() }
    pub fn drop_in(path: &'static str) { let _ = path; }
    pub fn block_on<F: Future>(workers: usize, f: F) -> F::Output {
        let mut builder = match workers { 0 => tokio::runtime::Builder::new_current_thread(), n => { let mut b = tokio::runtime::Builder::new_multi_thread(); b.worker_threads(n); b } };
        builder.enable_all().build().expect("a tokio runtime").block_on(f)
    }
    pub use crate::runner::main;
    pub use crate::trial::{Definition, TRIALS};
}
