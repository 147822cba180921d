//! The kernel's own word for what went wrong.

use std::fmt;

pub use nix::errno::Errno;

/// A call that the kernel refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedCall {
    /// Name of the call, with its object where that tells more.
    pub call: String,
    /// The kernel's answer.
    pub errno: Errno,
}

/// Returns a function that makes the error for a call of this name.
pub fn refused(call: impl Into<String>) -> impl FnOnce(Errno) -> RefusedCall {
    let call = call.into();
    move |errno| RefusedCall { call, errno }
}

impl fmt::Display for RefusedCall {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.call, self.errno)
    }
}

impl std::error::Error for RefusedCall {}

/// Returns the errno in an error of std's; zero if the error did not come from the kernel.
pub fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
