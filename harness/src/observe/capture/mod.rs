//! Captures: the frames of links and of nodes' interfaces, in one pcapng file for the whole trial.
//!
//! A `Tap` is told of frames, by a wire or by a `Watch`, and hands each to the trial's `Session` as a block; a thread of its own
//! writes what came together. `pcapng` knows the format, `file` the file, `place` where it is, `policy` what the environment asks
//! for, `keys` where TLS keys are logged; `guard` is what a test holds.

mod batch;
mod file;
mod guard;
mod keys;
mod pcapng;
mod place;
mod policy;
mod session;
mod tap;
#[cfg(test)]
mod tests;

pub use guard::CaptureGuard;

pub(crate) use guard::{Captured, Labels};
pub(crate) use keys::{KEY_LOG, KEY_LOG_VARIABLE, open_key_log, tell_this_process};
pub(crate) use policy::Policy;
pub(crate) use session::Session;
