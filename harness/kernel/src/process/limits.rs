//! Limits on the resources of this process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::Result;

/// Raises the soft limit of open files to `wanted`, as far as the hard limit allows, and returns
/// the soft limit then in force.
///
/// An ordinary login has a soft limit of 1,024, whatever the hard limit is, because `select(2)` can
/// handle no more.
///
/// # Errors
/// The kernel refused to tell or to change the limit.
pub fn raise_open_files(wanted: u64) -> Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= wanted {
        return Ok(soft);
    }
    // Raising the hard limit needs CAP_SYS_RESOURCE (setrlimit(2)), which users lack.
    let new = wanted.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, new, hard)?;
    Ok(new)
}

/// Returns the soft and the hard limit of open files.
///
/// # Errors
/// The kernel refused to tell.
pub fn open_files() -> Result<(u64, u64)> {
    getrlimit(Resource::RLIMIT_NOFILE)
}

/// Returns the soft and the hard limit of processes of this user.
///
/// # Errors
/// The kernel refused to tell.
pub fn processes() -> Result<(u64, u64)> {
    getrlimit(Resource::RLIMIT_NPROC)
}

/// Keeps this process and its children from leaving core files.
///
/// # Errors
/// The kernel refused the limit.
pub fn forbid_core_files() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    // Only the soft limit, so that a test can raise it again.
    setrlimit(Resource::RLIMIT_CORE, 0, hard)
}
