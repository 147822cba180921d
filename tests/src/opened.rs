//! A watch on a directory, which sees whether somebody opens its files.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;

/// A watch on a directory and its files (`inotify(7)`). On procfs the kernel tells of processes in
/// the same network namespace, as each has a `/proc/sys/net` of its own.
#[derive(Debug)]
pub struct OpenWatch(File);

impl OpenWatch {
    /// Begins to watch a directory.
    ///
    /// # Errors
    /// The kernel has no inotify instance left, or there is no such directory.
    #[expect(unsafe_code, reason = "nothing safe of these crates makes an instance")]
    pub fn on(directory: &Path) -> std::io::Result<Self> {
        let path = std::ffi::CString::new(directory.as_os_str().as_encoded_bytes())?;
        // SAFETY: no pointer is passed.
        let made = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
        let made = Errno::result(made)?;
        // SAFETY: the kernel has just made this descriptor for us.
        let file = unsafe { File::from_raw_fd(made) };
        // SAFETY: the path is a C string that lives across the call.
        let watch =
            unsafe { libc::inotify_add_watch(file.as_raw_fd(), path.as_ptr(), libc::IN_OPEN) };
        Errno::result(watch)?;
        Ok(Self(file))
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
