//! The kernel's own word for what went wrong.

pub use nix::errno::Errno;

/// A call that the kernel refused, and its answer.
pub type Refusal = (String, Errno);

/// Returns the errno in an error of std's; zero if the error did not come from the kernel.
pub fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
