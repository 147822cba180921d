//! A child in the namespaces of another process.
//!
//! A process can enter a user namespace but cannot come back, and it never enters a PID namespace
//! itself, only its children do (`setns(2)`). So a process in between enters and forks.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::CloneFlags;

use super::clone::{Cloned, clone_sibling};
use super::fork::never_return;
use super::reap::wait_for_child;
use super::shared_memory_child::run_in_child;
use crate::namespace;

/// Forks a child of this process into the namespaces of `process` that `kinds` name. `child` runs
/// there and does not come back. Returns a pidfd of the child.
///
/// The calling thread must be the only one, and the first of its process.
///
/// # Errors
/// `ESRCH` if the process is gone, `EPERM` without the privilege in its user namespace
/// (`setns(2)`).
pub fn fork_into(
    process: &OwnedFd,
    kinds: CloneFlags,
    child: impl FnOnce(),
) -> io::Result<OwnedFd> {
    let outcome = Cell::new(Err(Errno::ECHILD.into()));
    let fork = || {
        let forked = namespace::enter(process.as_fd(), kinds)
            .map_err(io::Error::from)
            // The child is a sibling of the process in between, which ends: the child is to belong
            // to the parent of that process.
            .and_then(|()| clone_sibling(CloneFlags::empty()));
        outcome.set(match forked {
            Ok(Cloned::Child) => never_return(child),
            Ok(Cloned::Parent { pidfd, .. }) => Ok(pidfd),
            Err(error) => Err(error),
        });
    };
    // In this process' memory, since a fork would copy its page tables once more; and with its
    // descriptors, so that the pidfd is this process' as well.
    let between = Cell::new(None);
    let note = |pid| {
        between.set(Some(pid));
        true
    };
    run_in_child(CloneFlags::CLONE_FILES, note, fork)?;
    if let Some(between) = between.get() {
        wait_for_child(between);
    }
    outcome.into_inner()
}
