//! Network namespaces, as places that a thread can be in.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, setns};

/// A network namespace, held by a descriptor.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
}

impl Netns {
    /// The one that the current thread is in.
    pub fn current() -> nix::Result<Self> {
        let file = File::open("/proc/thread-self/ns/net")
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
        Ok(Self { fd: file.into() })
    }

    /// Runs `work` on this thread inside `netns`, and comes back.
    ///
    /// # Panics
    /// If the thread cannot come back: everything after that would happen in the wrong place.
    pub fn visit<T>(netns: BorrowedFd<'_>, work: impl FnOnce() -> T) -> nix::Result<T> {
        Self::current()?.excursion(netns, work)
    }

    /// Runs `work` inside `netns` and comes back *here*: for loops over many namespaces, which then
    /// need no `/proc`.
    ///
    /// # Panics
    /// If the thread cannot come back.
    pub fn excursion<T>(&self, netns: BorrowedFd<'_>, work: impl FnOnce() -> T) -> nix::Result<T> {
        setns(netns, CloneFlags::CLONE_NEWNET)?;
        let _return = Return(self.fd.as_fd());
        Ok(work())
    }

    /// Runs `work` in a network namespace of its own and comes back here; the new one vanishes
    /// unless `work` kept it.
    ///
    /// # Panics
    /// If the thread cannot come back.
    pub fn excursion_to_new<T>(&self, work: impl FnOnce() -> T) -> nix::Result<T> {
        nix::sched::unshare(CloneFlags::CLONE_NEWNET)?;
        let _return = Return(self.fd.as_fd());
        Ok(work())
    }
}

impl From<Netns> for OwnedFd {
    fn from(netns: Netns) -> OwnedFd {
        netns.fd
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Goes home when dropped, also when `work` panics.
struct Return<'home>(BorrowedFd<'home>);

impl Drop for Return<'_> {
    fn drop(&mut self) {
        if let Err(errno) = setns(self.0, CloneFlags::CLONE_NEWNET) {
            panic!("failed to return to the thread's own network namespace: {errno}");
        }
    }
}
