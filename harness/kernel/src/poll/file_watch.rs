//! Waiting for a file to appear, by inotify(7).

#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::errno::Errno;
use crate::poll::wait_readable;

/// A look-out for a file.
#[derive(Debug)]
pub struct FileWatch {
    path: PathBuf,
    inotify: OwnedFd,
}

impl FileWatch {
    /// Looks out for a file from now on. Its directory has to be there.
    ///
    /// # Errors
    /// There is no such directory, or the user has no inotify instance left.
    pub fn new(path: &Path) -> io::Result<Self> {
        let inotify = inotify_instance()?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let name = CString::new(directory.as_os_str().as_bytes())?;
        let events = libc::IN_CREATE | libc::IN_MOVED_TO;
        // SAFETY: the text ends with a zero byte, and the call only reads it.
        Errno::result(unsafe {
            libc::inotify_add_watch(inotify.as_raw_fd(), name.as_ptr(), events)
        })?;
        Ok(Self {
            path: path.to_owned(),
            inotify,
        })
    }

    /// Waits until the file is there, or until the time is over; returns whether it is.
    ///
    /// # Errors
    /// The directory cannot be watched any more.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        if self.path.symlink_metadata().is_ok() {
            return Ok(true);
        }
        match wait_readable([self.inotify.as_fd()], Some(limit)) {
            Ok([true]) => {
                // What is in the events is of no matter: the file is there, or another one was.
                let mut events = [0; 4096];
                crate::fd::read(&self.inotify, &mut events)?;
            }
            Ok([false]) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(self.path.symlink_metadata().is_ok())
    }
}

/// Makes an inotify instance that does not wait, of which a user may have few.
pub(crate) fn inotify_instance() -> crate::Result<OwnedFd> {
    // SAFETY: no pointer is passed.
    let fd = Errno::result(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
