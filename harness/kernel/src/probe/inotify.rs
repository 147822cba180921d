//! Objects that watch files, of which a user may have few.
#![allow(unsafe_code)]

use std::os::fd::{FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::errno::{RefusedCall, refused};

/// Makes an inotify instance and lets it go again.
///
/// # Errors
/// The kernel refused it: `EMFILE` where all processes of the user on this host have as many as
/// `fs.inotify.max_user_instances` permits (`inotify_init(2)`).
pub fn inotify() -> Result<(), RefusedCall> {
    instance().map(drop).map_err(refused("inotify_init1"))
}

/// Makes up to `wanted` inotify instances, lets them go again, and returns how many there were.
pub fn inotify_room(wanted: usize) -> usize {
    let made: Vec<OwnedFd> = (0..wanted).map_while(|_| instance().ok()).collect();
    made.len()
}

fn instance() -> crate::Result<OwnedFd> {
    // SAFETY: no pointer is passed.
    let fd = Errno::result(unsafe { libc::inotify_init1(libc::IN_CLOEXEC) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
