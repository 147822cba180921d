//! Objects that watch files, of which a user may have few.

use std::os::fd::OwnedFd;

use crate::errno::{RefusedCall, refused};
use crate::poll::file_watch::inotify_instance;

/// Makes an inotify instance and lets it go again.
///
/// # Errors
/// The kernel refused it: `EMFILE` where all processes of the user on this host have as many as
/// `fs.inotify.max_user_instances` permits (`inotify_init(2)`).
pub fn inotify() -> Result<(), RefusedCall> {
    inotify_instance()
        .map(drop)
        .map_err(refused("inotify_init1"))
}

/// Makes up to `wanted` inotify instances, lets them go again, and returns how many there were.
pub fn inotify_room(wanted: usize) -> usize {
    let made: Vec<OwnedFd> = (0..wanted).map_while(|_| inotify_instance().ok()).collect();
    made.len()
}
