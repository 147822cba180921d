//! The supervisor: hands trials to the zygotes, listens, keeps time, and judges.
//!
//! It is one thread around one `poll`. It always reads what trials write, and never waits for its
//! own output, so that no trial is ever held up by the runner.

mod active;
mod capture;
mod queue;
mod signals;
mod supervisor;
mod time;
mod zygotes;

pub(super) use signals::Signals;
pub(super) use supervisor::{Plan, Supervisor};
pub(super) use zygotes::Nursery;
