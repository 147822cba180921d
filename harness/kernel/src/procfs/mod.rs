//! Processes and mounts, read from a `/proc`: one's own, or that of another PID namespace.

mod mounts;
pub mod process_table;
mod processes;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

pub use mounts::MountEntry;
pub use processes::ProcessEntry;

/// A mounted procfs.
#[derive(Debug)]
pub struct Procfs {
    dir: OwnedFd,
}

const DIRECTORY: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

impl Procfs {
    /// The procfs mounted at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let explain = |errno: Errno| {
            io::Error::new(
                io::Error::from(errno).kind(),
                format!("failed to open procfs `{}`: {errno}", path.display()),
            )
        };
        open(path, DIRECTORY, Mode::empty())
            .map(Self::from_fd)
            .map_err(explain)
    }

    /// The procfs whose root this descriptor is.
    pub fn from_fd(dir: OwnedFd) -> Self {
        Self { dir }
    }

    /// A whole file; the error is the kernel's own.
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let fd = openat(
            &self.dir,
            path,
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        let mut bytes = Vec::new();
        File::from(fd).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The numbers of all processes, in order.
    fn pids(&self) -> io::Result<Vec<i32>> {
        let mut dir = Dir::openat(
            &self.dir,
            ".",
            OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        let mut pids = Vec::new();
        for entry in dir.iter() {
            pids.extend(
                entry?
                    .file_name()
                    .to_str()
                    .ok()
                    .and_then(|name| name.parse::<i32>().ok()),
            );
        }
        pids.sort_unstable();
        Ok(pids)
    }
}

impl AsFd for Procfs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}
