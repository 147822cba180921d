//! Limits on the resources of this process.
//!
//! | file | role |
//! |---|---|
//! | `others` | changes limits of processes that run |
//! | `programs` | gives the programs that this process starts the old limit of open files back |

mod others;
mod programs;

use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::Result;

pub use others::{ProcessLimit, data_of, set_soft_limit, soft_limit};
pub use programs::give_back_in_forks;

/// Soft limit of open files that this process had before it was raised, or [`UNCHANGED`].
static BEFORE: AtomicU64 = AtomicU64::new(UNCHANGED);
/// Soft limit to which it was raised last.
static RAISED: AtomicU64 = AtomicU64::new(UNCHANGED);

/// No process was ever started with a limit of zero open files: it could not have opened its
/// program.
const UNCHANGED: u64 = 0;

/// Raises the soft limit of open files to `wanted`, as far as the hard limit allows, and returns
/// the soft limit then in force.
///
/// An ordinary login has a soft limit of 1,024, whatever the hard limit is, because `select(2)` can
/// handle no more. Programs that this process starts later are given the old limit back: see
/// [`give_back_open_files`] and [`give_back_in_forks`].
///
/// # Errors
/// The kernel refused to tell or to change the limit.
pub fn raise_open_files(wanted: u64) -> Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= wanted.min(hard) {
        return Ok(soft);
    }
    // Raising the hard limit needs CAP_SYS_RESOURCE (setrlimit(2)), which users lack.
    let new = wanted.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, new, hard)?;
    // Copies of this process inherit both values, so that the first raise of all is remembered.
    let _ = BEFORE.compare_exchange(UNCHANGED, soft, Ordering::Relaxed, Ordering::Relaxed);
    RAISED.store(new, Ordering::Relaxed);
    Ok(new)
}

/// Gives the calling process the soft limit of open files back that was in force before
/// [`raise_open_files`], unless somebody has changed the limit since.
///
/// Calls nothing that is not safe between `fork` and `exec`.
///
/// # Errors
/// The kernel refused to tell or to change the limit.
pub fn give_back_open_files() -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    match before_and_raised() {
        Some((before, raised)) if soft == raised => {
            setrlimit(Resource::RLIMIT_NOFILE, before, hard)
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns the soft limit before it was raised and the limit to which it was raised, if it was.
fn before_and_raised() -> Option<(u64, u64)> {
    let before = BEFORE.load(Ordering::Relaxed);
    (before != UNCHANGED).then(|| (before, RAISED.load(Ordering::Relaxed)))
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
    // Only the soft limit is set, so that a test can raise it again.
    setrlimit(Resource::RLIMIT_CORE, 0, hard)
}
