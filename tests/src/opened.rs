//! A watch on a directory, which sees whether somebody opens its files.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// A watch on a directory and its files (`inotify(7)`). On procfs the kernel tells of processes in
/// the same network namespace, as each has a `/proc/sys/net` of its own.
#[derive(Debug)]
pub struct OpenWatch(File);

impl OpenWatch {
    /// Begins to watch a directory.
    ///
    /// # Errors
    /// The kernel has no inotify instance left, or there is no such directory.
    pub fn on(directory: &Path) -> std::io::Result<Self> {
        let made = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        inotify::add_watch(&made, directory, WatchFlags::OPEN)?;
        Ok(Self(File::from(made)))
    }

    /// Returns whether somebody has opened the directory or a file in it, since the watch began or
    /// this was asked before.
    ///
    /// # Errors
    /// The kernel refused to tell.
    pub fn has_seen_any(&mut self) -> std::io::Result<bool> {
        let mut seen = false;
        loop {
            match self.0.read(&mut [0; 4096]) {
                Ok(length) => seen |= length > 0,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(seen),
                Err(error) => return Err(error),
            }
        }
    }
}
