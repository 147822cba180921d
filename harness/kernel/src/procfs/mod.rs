//! Processes and mounts, read from a `/proc`: one's own, or that of another PID namespace.
//!
//! A test asks about the processes of a node, which has a PID namespace and a procfs of its own. So
//! all reads are relative to a descriptor of that procfs.
//!
//! | file | role |
//! |---|---|
//! | `callers` | what a process is about that makes a system call |
//! | `mounts` | mounts as plain values |
//! | `occupants` | whether anybody is left in a node |
//! | `pending_write` | the write in which a thread waits |
//! | `ping_groups` | the groups that may open ICMP sockets of the ordinary kind |
//! | `process_table` | what the processes of a trial are doing when it hangs |
//! | `processes` | processes as plain values |
//! | `stat` | the line about each process |
//! | `sysctls` | sysctls: reading and writing one, and reading many at a time |
//! | `text` | files of `/proc` as text |

mod callers;
mod mounts;
mod occupants;
mod pending_write;
pub mod ping_groups;
pub mod process_table;
mod processes;
mod stat;
pub mod sysctls;
#[cfg(test)]
mod tests;
mod text;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

pub use callers::{filesystem_at, filesystem_of, network_of};
pub use mounts::MountEntry;
pub use occupants::{is_childless, may_be_visited};
pub(crate) use pending_write::call_of;
pub use pending_write::pending_write;
pub use processes::ProcessEntry;
pub use text::text_of;

/// A mounted procfs.
#[derive(Debug)]
pub struct Procfs {
    dir: OwnedFd,
}

const DIRECTORY: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

impl Procfs {
    /// Opens the procfs that is mounted at `path`.
    ///
    /// # Errors
    /// There is no such directory.
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

    /// Wraps a descriptor of a procfs's root.
    pub fn from_fd(dir: OwnedFd) -> Self {
        Self { dir }
    }

    /// Reads a whole file.
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        // Relative to the descriptor, so that the procfs of another PID namespace can be read
        // without a mount of it here.
        let fd = openat(
            &self.dir,
            path,
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        let mut bytes = Vec::new();
        // Files of procfs have a length of 0 in their metadata, so they are read to the end.
        File::from(fd).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Lists the ids of all processes, in order.
    fn pids(&self) -> io::Result<Vec<i32>> {
        // The descriptor is an O_PATH one, from which directories cannot be listed (open(2)).
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
