//! The kernel's own word for what went wrong.

use nix::errno::Errno;

/// The errno in an error of std's; zero where it did not come from the kernel.
pub fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
