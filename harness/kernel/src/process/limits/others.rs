//! Limits of other processes, changed while they run.

#![allow(unsafe_code)]

use std::ptr;

use crate::Result;
use crate::errno::Errno;
use crate::procfs::text_of;

/// A limit of a process that can be lowered, and raised again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessLimit {
    /// The number of the descriptors that it may have: `EMFILE` beyond.
    OpenFiles,
    /// The memory of the process, without what is shared with other processes: `ENOMEM` beyond.
    Data,
}

impl ProcessLimit {
    fn resource(self) -> libc::__rlimit_resource_t {
        match self {
            Self::OpenFiles => libc::RLIMIT_NOFILE,
            Self::Data => libc::RLIMIT_DATA,
        }
    }
}

fn limits(pid: i32, limit: ProcessLimit) -> Result<libc::rlimit> {
    let mut limits = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: prlimit(2) writes to the value that it is given.
    Errno::result(unsafe { libc::prlimit(pid, limit.resource(), ptr::null(), &raw mut limits) })?;
    Ok(limits)
}

/// Returns the soft limit of another process.
///
/// # Errors
/// There is no such process, or the caller may not see its limits.
pub fn soft_limit(pid: i32, limit: ProcessLimit) -> Result<u64> {
    Ok(limits(pid, limit)?.rlim_cur)
}

/// Sets the soft limit of another process, at most to its hard limit, and returns the one before.
///
/// # Errors
/// There is no such process, or the caller may not change its limits.
pub fn set_soft_limit(pid: i32, limit: ProcessLimit, soft: u64) -> Result<u64> {
    let before = limits(pid, limit)?;
    let new = libc::rlimit {
        rlim_cur: soft.min(before.rlim_max),
        rlim_max: before.rlim_max,
    };
    // SAFETY: prlimit(2) reads the value that it is given.
    Errno::result(unsafe {
        libc::prlimit(pid, limit.resource(), &raw const new, ptr::null_mut())
    })?;
    Ok(before.rlim_cur)
}

/// Returns the memory of a process that [`ProcessLimit::Data`] limits, in bytes.
pub fn data_of(pid: i32) -> Option<u64> {
    let status = text_of(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmData:"))?;
    // The kernel counts in pages and shows kB (proc_pid_status(5)).
    let kb: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kb << 10)
}
