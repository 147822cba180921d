//! Files of `/proc` as text, and what it means that one cannot be read.

use std::io;
use std::path::Path;

/// Returns the text of a file below `/proc`. The name of a process may be any bytes, and the kernel
/// cuts it after 15 of them (`TASK_COMM_LEN` of include/linux/sched.h), in the middle of a letter
/// even: what is no UTF-8 is replaced.
///
/// # Errors
/// The kernel refuses to open or to read the file.
pub fn text_of(path: impl AsRef<Path>) -> io::Result<String> {
    let bytes = std::fs::read(path)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Tells whether the process of a file has ended. A read of an open file fails with `ESRCH` then.
pub(super) fn has_ended(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}
